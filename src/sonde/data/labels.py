"""Cells as they stand in a file: texts, labels that are numbers or classes, and what is neither."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sonde.core.errors import SondeError
from sonde.data.examples import Example, Label


def whole_text(text: str, where: str) -> str:
    """Return a text, having checked that it can be encoded.

    Raises:
        SondeError: it holds half of a surrogate pair, as JSON can.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SondeError(
            f"{where}: character {error.start + 1} of the text is half a character (a lone "
            "surrogate).",
            fix="Remove it, or write the whole character.",
        ) from None
    return text


def read_label(value: Any, where: str) -> Label:
    """Read a cell: a number (NaN included), a text, or None where it is empty.

    Raises:
        SondeError: the value is neither a number nor a text.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str):
        return math.nan if value.strip().lower() == "nan" else value.strip()
    raise SondeError(f"{where}: a label is a number or a text, not {str(value)[:80]}.")


def read_number(label: Label, where: str, column: str) -> float:
    """Return one of several numbers that are fitted together.

    Raises:
        SondeError: it is not a finite number.
    """
    number = _number(label)
    if number is None:
        raise SondeError(
            f"{where}: the label {label!r} in the column {column!r} is not a finite number.",
            fix="Several labels of one example are numbers; name a single column for a class.",
        )
    return number


def is_nan(label: Label) -> bool:
    """Say whether a label is the number that is none, or one of its numbers is."""
    numbers = label if isinstance(label, tuple) else (label,)
    return any(isinstance(number, float) and math.isnan(number) for number in numbers)


def with_label_type(examples: Sequence[Example]) -> list[Example]:
    """Turn labels into numbers where most are; a text among numbers is a slip, not a class.

    Raises:
        SondeError: a label is no finite number, and most of the others are.
    """
    labelled = [example for example in examples if not isinstance(example.label, tuple | None)]
    strange = [example for example in labelled if _number(example.label) is None]
    numeric = 2 * len(strange) <= len(labelled)
    if strange and numeric:
        raise SondeError(
            f"{strange[0].where}: the label {strange[0].label!r} is not a finite number, and most "
            "labels are.",
            fix="Mend the row, or write every class as a word.",
        )
    convert = _number if numeric else _text
    return [
        example
        if isinstance(example.label, tuple)
        else replace(example, label=convert(example.label))
        for example in examples
    ]


def _number(label: Label) -> float | None:
    if label is None or isinstance(label, tuple):
        return None
    try:
        number = float(label)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _text(label: Label) -> str | None:
    if label is None or isinstance(label, tuple):
        return None
    return f"{label:g}" if isinstance(label, float) else str(label)
