"""From a file to examples, each of which knows the row it came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from sonde.core.errors import SondeError
from sonde.data.columns import resolve_columns
from sonde.data.examples import Example, as_examples
from sonde.data.from_rows import SkippedRow, example_of
from sonde.data.labels import with_label_type
from sonde.data.sets import shipped_data, unknown_data
from sonde.data.settings import DataSpec, Value
from sonde.data.tables import Row, read_rows
from sonde.data.traits import is_trait, trait_rows

HUB = "hf:"


@dataclass(frozen=True, slots=True)
class DataRead:
    """What was read, and what was left out by the settings' choice."""

    examples: tuple[Example, ...]
    skipped: tuple[SkippedRow, ...]


Source: TypeAlias = DataSpec | str | Path


def read_examples(source: Source) -> tuple[Example, ...]:
    """Read a data set; see ``read_data``, which also says what was skipped."""
    return read_data(source).examples


def read_data(source: Source) -> DataRead:
    """Read a data set into examples with unique ids.

    Without an id column, a row's id is its number, counted from 0. Labels are numbers where nearly
    all of them are, else text.

    Raises:
        SondeError: the file, a column or a text is missing; two rows share an id; a label is empty
            or NaN, or no number where the others are; see also ``read_rows``.
    """
    spec = source if isinstance(source, DataSpec) else DataSpec(path=str(source))
    rows, name = _open(spec)
    columns, rows = resolve_columns(rows, spec, name)
    kept: list[Example] = []
    skipped: list[SkippedRow] = []
    for number, (where, row) in enumerate(rows):
        if not _wanted(row, spec.where):
            continue
        example = example_of(number, where, row, columns, spec)
        if isinstance(example, SkippedRow):
            skipped.append(example)
            continue
        kept.append(example)
        if len(kept) == spec.limit:
            break
    if not kept:
        raise SondeError(
            f"{name} gives no example: {len(skipped)} rows were skipped, and the others do not "
            f"match {spec.where}."
            if spec.where or skipped
            else f"{name} has no rows."
        )
    return DataRead(as_examples(with_label_type(kept)), tuple(skipped))


def _open(spec: DataSpec) -> tuple[Iterator[Row], str]:
    if spec.path.startswith(HUB):
        return _hub_rows(spec.path.removeprefix(HUB), spec.split), spec.path
    path = Path(spec.path).expanduser()
    if path.is_dir() and is_trait(path):
        return trait_rows(path), path.name
    if path.is_dir() and path.parent != Path():
        raise _no_file(path)
    if path.is_file() or path.suffix or path.parent != Path():
        return read_rows(path), path.name
    if path.exists():
        raise _no_file(path)
    found = shipped_data(spec.path)
    if found is None:
        raise unknown_data(spec.path)
    return (trait_rows(found) if found.is_dir() else read_rows(found)), found.name


def _no_file(folder: Path) -> SondeError:
    return SondeError(
        f"{folder} is a folder, and not a trait's: it holds neither positive.txt nor negative.txt, "
        "nor contrast_pairs.csv.",
        fix="Give a file in it.",
    )


def _hub_rows(name: str, split: str) -> Iterator[Row]:
    try:
        from datasets import load_dataset  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise SondeError(
            f"{HUB}{name} needs the package datasets.", fix="Run pip install 'sonde[datasets]'."
        ) from None
    try:
        rows = load_dataset(name, split=split, streaming=True)
    except (ValueError, OSError) as error:  # an unknown split, an unknown name, no connection
        raise SondeError(
            f"{HUB}{name} could not be read: {error}", fix="Check the name and the split."
        ) from None
    return ((f"{HUB}{name}, {split} row {number}", row) for number, row in enumerate(rows, 1))


def _wanted(row: Mapping[str, Any], where: Mapping[str, Value | list[Value]]) -> bool:
    return all(
        str(row.get(column)) in map(str, wanted if isinstance(wanted, list) else [wanted])
        for column, wanted in where.items()
    )
