"""From one row of a table to an example."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sonde.core.errors import SondeError
from sonde.data.examples import Example, Label, Message
from sonde.data.labels import is_nan, read_label, read_number, whole_text
from sonde.data.settings import DataSpec


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that gave no example, and why: ``empty text``, ``NaN label`` or ``empty label``."""

    id: str
    row: str
    reason: str


def example_of(
    number: int,
    where: str,
    row: Mapping[str, Any],
    columns: Mapping[str, Sequence[str]],
    spec: DataSpec,
) -> Example | SkippedRow:
    """Read a row as an example; ``columns`` names the columns of each part, as far as it has some.

    Raises:
        SondeError: the id, the text or the label is empty or cannot be read, and the settings do
            not say what to do then.
    """

    def value(part: str) -> Any:
        return row.get(columns[part][0]) if part in columns else None

    name = _name(value("id"))
    if "id" in columns and not name:
        raise SondeError(f"{where}: the id is empty.", fix="Give every row an id, or none.")
    name = name or str(number)
    prompt = _prompt(value("prompt"), where, columns["prompt"][0])
    if not prompt:
        if spec.empty_text == "skip":
            return SkippedRow(name, where, "empty text")
        raise SondeError(
            f"{where}: the column {columns['prompt'][0]!r} is empty.",
            fix="Fill it in, remove the row, or choose empty_text: skip.",
        )
    label, fault, column = _label(row, where, columns.get("label", ()))
    if fault and spec.bad_label == "skip":
        return SkippedRow(name, where, f"{fault} label")
    if fault and spec.bad_label == "error":
        raise SondeError(
            f"{where}: the label in the column {column!r} is {fault}.",
            fix="Fill it in, or choose bad_label: skip, or bad_label: unlabelled.",
        )
    response = value("response")
    return Example(
        id=name,
        prompt=prompt,
        response=whole_text(str(response), where) if response not in (None, "") else None,
        group=_name(value("group")) or None,
        label=None if fault else label,
        row=where,
        plain=spec.plain,
        label_names=tuple(columns["label"]) if isinstance(label, tuple) and not fault else (),
    )


def _label(row: Mapping[str, Any], where: str, columns: Sequence[str]) -> tuple[Label, str, str]:
    """Return the label, what is wrong with it (empty where nothing is), and in which column."""
    labels = [read_label(row.get(column), where) for column in columns]
    for label, column in zip(labels, columns, strict=True):
        if fault := _fault(label):
            return None, fault, column
    if len(labels) < 2:
        return labels[0] if labels else None, "", ""
    return (
        tuple(read_number(label, where, name) for label, name in zip(labels, columns, strict=True)),
        "",
        "",
    )


def _fault(label: Label) -> str:
    """Return what is wrong with a label, in one word; empty where nothing is."""
    if label is None:
        return "empty"
    return "NaN" if is_nan(label) else ""


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
