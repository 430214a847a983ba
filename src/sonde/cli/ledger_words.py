"""What the ledger's commands print: recorded texts as text, whatever is in them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sonde.cli.console import console
from sonde.ledger.ledger import Ledger, default_ledger

# Control characters move the cursor or colour a terminal, and some marks turn the reading order.
_UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
WIDE, MIDDLE = 140, 100  # columns of the terminal


def open_ledger(out: Path, ledger: str | None) -> Ledger:
    """Open the ledger that a command names; it is not made by looking."""
    return Ledger.open(ledger or default_ledger(out), create=False)


def visible(text: Any) -> str:
    """Return a text in which every character shows: a control character as its code, ‹1b›."""
    return _UNSEEN.sub(lambda found: _shown(found[0]), str(text))


def _shown(character: str) -> str:
    return " " if character in "\t\r" else f"‹{ord(character):02x}›"


def cut(text: Any, length: int) -> str:
    """Return a text on one line, cut with … where it is longer."""
    line = " ".join(visible(text).split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"


def lines(text: Any, *, indent: int = 0) -> None:
    """Print a text as it is, words folded at the width of the terminal."""
    shown = Text(visible(text))
    console.print(Padding(shown, (0, 0, 0, indent), expand=False) if indent else shown)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a column is set: to the right, on one line, at least and at most so wide."""

    right: bool = False
    whole: bool = False
    least: int | None = None
    most: int | None = None


def grid(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], shapes: Sequence[Shape] = ()
) -> None:
    """Print a table whose cells are texts; what does not fit is folded, or cut with …."""
    made = Table(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="bold",
        show_header=any(columns),
    )
    for index, column in enumerate(columns):
        shape = shapes[index] if index < len(shapes) else Shape()
        made.add_column(
            Text(column),
            justify="right" if shape.right else "left",
            no_wrap=shape.whole,
            overflow="ellipsis" if shape.whole else "fold",
            min_width=shape.least,
            max_width=shape.most,
        )
    for row in rows:
        made.add_row(*(Text(visible(cell)) for cell in row))
    console.print(made)
