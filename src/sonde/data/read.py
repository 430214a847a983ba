"""From a file to examples, each of which knows the row it came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field

from sonde.core.base import Config
from sonde.core.errors import SondeError, nearest
from sonde.data.examples import Example, Message, as_examples
from sonde.data.labels import is_nan, read_label, whole_text, with_label_type
from sonde.data.sets import shipped, shipped_sets
from sonde.data.tables import Row, read_rows

HUB = "hf:"

Value: TypeAlias = str | bool | int | float

# Names tried, in order, for a column that the settings do not name.
_USUAL: Mapping[str, tuple[str, ...]] = {
    "id": ("id",),
    "prompt": ("prompt", "messages", "text"),
    "response": ("response", "completion"),
    "label": ("label",),
    "group": ("group", "pair"),
}


class Columns(Config):
    """The columns to read; what is not named is looked for under its usual names.

    ``id``; ``prompt`` (or ``messages``, ``text``): a text, or a list of ``{role, content}``;
    ``response`` (or ``completion``); ``label``; ``group`` (or ``pair``).
    """

    id: str | None = None
    prompt: str | None = None
    response: str | None = None
    label: str | None = None
    group: str | None = None


class DataSpec(Config):
    """Which data to read, and what to do with rows that cannot be used as they are.

    ``path`` is a file (CSV, TSV, JSON Lines, Parquet, text), the name of a data set that comes with
    sonde, or ``hf:<id>`` for one of the Hugging Face hub (needs the extra ``datasets``).
    ``where`` keeps the rows whose column has that value, or one of those values. ``limit`` keeps
    the first examples. A label that is empty or NaN is an error, or its row is skipped, or kept as
    ``unlabelled``. ``plain`` marks every text to stand as it is, without the chat template.
    """

    path: str
    columns: Columns = Field(default_factory=Columns)
    where: dict[str, Value | list[Value]] = Field(default_factory=dict)
    limit: int | None = Field(default=None, ge=1)
    bad_label: Literal["error", "skip", "unlabelled"] = "error"
    empty_text: Literal["error", "skip"] = "error"
    plain: bool = False
    split: str = "train"


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that gave no example, and why: ``empty text``, ``NaN label`` or ``empty label``."""

    id: str
    row: str
    reason: str


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
    columns, rows = _resolve(rows, spec, name)
    kept: list[Example] = []
    skipped: list[SkippedRow] = []
    for number, (where, row) in enumerate(rows):
        if not _wanted(row, spec.where):
            continue
        example = _example(number, where, row, columns, spec)
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
    if path.is_file() or path.suffix or path.parent != Path():
        return read_rows(path), path.name
    if path.exists():
        raise SondeError(f"{path} is a folder.", fix="Give a file in it.")
    if spec.path.replace("-", "_") not in shipped_sets():
        raise SondeError(
            f"There is no file {spec.path}, and no data set of that name comes with sonde."
            f"{nearest(spec.path, shipped_sets())}",
            fix="Give the path of a file with its ending, or hf:<id> for one of the hub.",
        )
    path = shipped(spec.path)
    return read_rows(path), path.name


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


def _resolve(
    rows: Iterator[Row], spec: DataSpec, name: str
) -> tuple[Mapping[str, str], Iterator[Row]]:
    """Find the column for each part of an example, from the settings and the first row."""
    first = next(rows, None)
    if first is None:
        raise SondeError(f"{name} has no rows.", fix="Give a file with at least one row.")
    present = list(first[1])
    found: dict[str, str] = {}
    for part, usual in _USUAL.items():
        given = getattr(spec.columns, part)
        if given is not None:
            found[part] = _known(given, present, name)
        else:
            column = next((column for column in usual if column in present), None)
            if column is not None:
                found[part] = column
    for column in spec.where:
        _known(column, present, name)
    if "prompt" not in found:
        raise SondeError(
            f"{name} has no column named prompt, messages or text; it has {', '.join(present)}.",
            fix="Name the column with the texts: columns: {prompt: …}.",
        )
    return found, _consistent(chain([first], rows), found, first[0])


def _consistent(rows: Iterator[Row], found: Mapping[str, str], first: str) -> Iterator[Row]:
    """Refuse a row that brings a column which the first row did not have: it would be lost."""
    absent = {name for part, usual in _USUAL.items() if part not in found for name in usual}
    for where, row in rows:
        late = absent.intersection(row)
        if late:
            raise SondeError(
                f"{where} has {sorted(late)[0]!r}, and {first} has not.",
                fix="Give the first row every column that is to be read.",
            )
        yield where, row


def _known(column: str, present: list[str], name: str) -> str:
    if column not in present:
        raise SondeError(
            f"{name} has no column {column!r}.{nearest(column, present)}",
            fix=f"Its columns are {', '.join(present)}.",
        )
    return column


def _wanted(row: Mapping[str, Any], where: Mapping[str, Value | list[Value]]) -> bool:
    return all(
        str(row.get(column)) in map(str, wanted if isinstance(wanted, list) else [wanted])
        for column, wanted in where.items()
    )


def _example(
    number: int, where: str, row: Mapping[str, Any], columns: Mapping[str, str], spec: DataSpec
) -> Example | SkippedRow:
    def value(part: str) -> Any:
        return row.get(columns[part]) if part in columns else None

    name = _name(value("id"))
    if "id" in columns and not name:
        raise SondeError(f"{where}: the id is empty.", fix="Give every row an id, or none.")
    name = name or str(number)
    prompt = _prompt(value("prompt"), where, columns["prompt"])
    if not prompt:
        if spec.empty_text == "skip":
            return SkippedRow(name, where, "empty text")
        raise SondeError(
            f"{where}: the column {columns['prompt']!r} is empty.",
            fix="Fill it in, remove the row, or choose empty_text: skip.",
        )
    label = read_label(value("label"), where)
    bad = "label" in columns and (label is None or is_nan(label))
    if bad and spec.bad_label != "unlabelled":
        reason = "empty label" if label is None else "NaN label"
        if spec.bad_label == "skip":
            return SkippedRow(name, where, reason)
        raise SondeError(
            f"{where} has an {reason}."
            if label is None
            else f"{where} has a NaN label in the column {columns['label']!r}.",
            fix="Fill it in, or choose bad_label: skip, or bad_label: unlabelled.",
        )
    response = value("response")
    return Example(
        id=name,
        prompt=prompt,
        response=whole_text(str(response), where) if response not in (None, "") else None,
        group=_name(value("group")) or None,
        label=None if bad else label,
        row=where,
        plain=spec.plain,
    )


def _name(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas writes whole numbers as 12.0 where a column has a gap
    return "" if value is None else str(value).strip()


def _prompt(value: Any, where: str, column: str) -> str | tuple[Message, ...]:
    """Return a text or messages; empty where there is none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return ""
    if isinstance(value, str):
        return whole_text(value, where)
    if isinstance(value, list) and all(_is_message(item) for item in value):
        return tuple(Message(item["role"], whole_text(item["content"], where)) for item in value)
    raise SondeError(
        f"{where}: {column!r} is neither a text nor a list of messages: {str(value)[:80]}",
        fix='Messages are [{"role": "user", "content": "…"}], with text as their content.',
    )


def _is_message(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and isinstance(item.get("role"), str)
        and isinstance(item.get("content"), str)
    )
