"""From a file to comparisons, each checked against the row it came from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError, nearest
from sonde.data.comparison_settings import ComparisonSpec
from sonde.data.comparisons import TIE, Comparison, Comparisons
from sonde.data.examples import Label
from sonde.data.labels import read_label
from sonde.data.tables import read_rows

_USUAL: Mapping[str, tuple[str, ...]] = {
    "first": ("first", "a", "left", "item_a", "id_a", "winner", "chosen"),
    "second": ("second", "b", "right", "item_b", "id_b", "loser", "rejected"),
    "outcome": ("outcome", "preference", "choice", "result"),
    "weight": ("weight", "count"),
}
_WON = ("winner", "chosen")  # columns that name the winner: such a file needs no outcome

_WORDS: Mapping[str, float] = {
    **dict.fromkeys(("first", "a", "left", "true"), 1.0),
    **dict.fromkeys(("second", "b", "right", "false"), 0.0),
    **dict.fromkeys(("tie", "equal", "draw", "both", "neither"), TIE),
}


@dataclass(frozen=True, slots=True)
class SkippedComparison:
    """A row that gave no comparison, and why."""

    row: str
    reason: str


@dataclass(frozen=True, slots=True)
class ComparisonsRead:
    """What was read, and what was left out by the settings' choice."""

    comparisons: Comparisons
    skipped: tuple[SkippedComparison, ...]


def read_comparisons(source: ComparisonSpec | str | Path) -> ComparisonsRead:
    """Read comparisons from a file.

    Raises:
        SondeError: the file or a column is missing; a row compares an item with itself, or its
            outcome is empty, NaN, outside 0 to 1 or an unknown word; nothing is left, or all are
            ties; see also ``read_rows``.
    """
    spec = source if isinstance(source, ComparisonSpec) else ComparisonSpec(path=str(source))
    path = Path(spec.path).expanduser()
    rows = read_rows(path)
    first = next(rows, None)
    if first is None:
        raise SondeError(f"{path.name} has no rows.", fix="Give a file with comparisons.")
    columns = _columns(list(first[1]), spec, path.name)
    kept: list[Comparison] = []
    skipped: list[SkippedComparison] = []
    for where, row in chain([first], rows):
        if not _wanted(row, spec):
            continue
        found = _comparison(where, row, columns, spec)
        reason = found.fault or ("a tie" if spec.ties == "drop" and found.outcome == TIE else "")
        if not reason:
            kept.append(found)
        elif found.fault and spec.bad_comparison == "error":
            raise _bad(found)
        else:
            skipped.append(SkippedComparison(where, reason))
        if len(kept) == spec.limit:
            break
    return ComparisonsRead(Comparisons.of(kept), tuple(skipped))


def _bad(found: Comparison) -> SondeError:
    return SondeError(
        f"{found.row}: {found.fault} ({found.first!r}, {found.second!r}).",
        fix="Mend the row, or choose bad_comparison: skip, which counts such rows.",
    )


def _columns(present: list[str], spec: ComparisonSpec, name: str) -> Mapping[str, str]:
    """Return the column of each part."""
    found: dict[str, str] = {}
    for part, usual in _USUAL.items():
        given = getattr(spec.columns, part)
        if given is not None and given not in present:
            raise SondeError(
                f"{name} has no column {given!r}.{nearest(given, present)}",
                fix=f"Its columns are {', '.join(present)}.",
            )
        column = given or next((one for one in usual if one in present), None)
        if column is not None:
            found[part] = column
    for part in ("first", "second"):
        if part not in found:
            raise SondeError(
                f"{name} has no column named {', '.join(_USUAL[part])}; it has "
                f"{', '.join(present)}.",
                fix=f"Name the column: columns: {{{part}: …}}.",
            )
    if "outcome" not in found and found["first"] not in _WON:
        raise SondeError(
            f"{name} has no column named {', '.join(_USUAL['outcome'])}, which says which of "
            f"{found['first']!r} and {found['second']!r} won.",
            fix="Name it: columns: {outcome: …}; or name the winners' column winner.",
        )
    for column in spec.where:
        if column not in present:
            raise SondeError(f"{name} has no column {column!r}.{nearest(column, present)}")
    return found


def _wanted(row: Mapping[str, Any], spec: ComparisonSpec) -> bool:
    return all(
        str(row.get(column)) in map(str, wanted if isinstance(wanted, list) else [wanted])
        for column, wanted in spec.where.items()
    )


def _comparison(
    where: str, row: Mapping[str, Any], columns: Mapping[str, str], spec: ComparisonSpec
) -> Comparison:
    """Read a row; what cannot be used is left for the caller to name."""
    first, second = (item_id(row.get(columns[part])) for part in ("first", "second"))
    if not first or not second:
        raise SondeError(f"{where}: an item's id is empty.", fix="Name both items.")
    outcome = 1.0
    if "outcome" in columns:
        outcome = _outcome(row.get(columns["outcome"]), (first, second), where, spec)
    weight = read_label(row.get(columns["weight"]), where) if "weight" in columns else 1.0
    return Comparison(first, second, outcome, _number(weight), where)


def item_id(value: Any) -> str:
    """Return an id as text; pandas writes whole numbers as 12.0 where a column has a gap."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _outcome(value: Any, items: tuple[str, str], where: str, spec: ComparisonSpec) -> float:
    """Read an outcome: a number, one of the levels, the id of an item, or a usual word."""
    said = read_label(value, where)
    if said is None:
        return math.nan
    word = str(value).strip()
    if word in spec.levels:
        return 1 - spec.levels.index(word) / (len(spec.levels) - 1)
    if isinstance(said, str) and word in items:
        return float(word == items[0])
    if isinstance(said, str) and word.lower() in _WORDS:
        return _WORDS[word.lower()]
    number = _number(said)
    if isinstance(said, str) and math.isnan(number) and word.lower() != "nan":
        known = (*spec.levels, *_WORDS)
        raise SondeError(
            f"{where}: the outcome {word!r} is neither a number from 0 to 1, nor one of the two "
            f"items, nor a word that is known.{nearest(word, known)}",
            fix=f"Words are {', '.join(known)}; list others under levels, from first to second.",
        )
    return number


def _number(value: Label) -> float:
    try:
        return math.nan if value is None or isinstance(value, tuple) else float(value)
    except ValueError:
        return math.nan
