"""How commands print: tables and lines on standard output, progress on standard error."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sonde.core.quantities import bytes_in_words, seconds_in_words

__all__ = ["bytes_in_words", "console", "heading", "mark", "say", "seconds_in_words", "table"]

console = Console(highlight=False, emoji=False)
# Where it is no terminal (a file, a pipe), lines are not folded at 80 columns.
if not console.is_terminal:
    console = Console(highlight=False, emoji=False, width=160)


def say(text: str) -> None:
    """Print one line as it is: markup in it is text."""
    console.print(escape(text), soft_wrap=True)


def heading(text: str) -> None:
    """Print a line that begins a part."""
    console.print(f"\n[bold]{escape(text)}[/bold]")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: int = 0) -> None:
    """Print a table; the last ``numbers`` columns are set to the right."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, column in enumerate(columns):
        right = index >= len(columns) - numbers
        made.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(escape(str(cell)) for cell in row))
    console.print(made)


def mark(passed: bool) -> str:
    """Return a green or red word for a check."""
    return "[green]ok[/green]" if passed else "[red]FAILED[/red]"
