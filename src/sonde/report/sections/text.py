"""Paragraphs, and a plain table."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sonde.core.errors import SondeError
from sonde.report.wording import figure


@dataclass(frozen=True, slots=True)
class Text:
    """Plain paragraphs, parted by empty lines."""

    body: str
    title: str = ""
    kind: ClassVar[str] = "text"


def prepare(section: Text) -> dict[str, Any]:
    """Return what the template shows."""
    return {"paragraphs": [part for part in section.body.split("\n\n") if part.strip()]}


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns; numbers are shown with three digits and aligned, None as a dash."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | int | None, ...], ...]
    title: str = ""
    note: str = ""
    kind: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise SondeError(
                    f"Row {number} of the table {self.title!r} has {len(row)} cells "
                    f"for {len(self.columns)} columns.",
                    fix="Give one cell a column, None where there is nothing.",
                )


def prepare_table(section: Table) -> dict[str, Any]:
    """Return what the template shows."""
    rows = [[_cell(item) for item in row] for row in section.rows]
    numbers = [cell[1] for cell in rows[0]] if rows else [False] * len(section.columns)
    return {"header": list(zip(section.columns, numbers, strict=True)), "rows": rows}


def _cell(item: str | float | int | None) -> tuple[str, bool]:
    if isinstance(item, str):
        return item, False
    if isinstance(item, int):
        return f"{item:,}", True
    return figure(item, 3), True
