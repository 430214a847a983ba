r"""Markdown tables whose cells hold any text, and a reader for those that people keep by hand.

A cell is one line. What would end it, or be lost in it, is written another way, as GitHub's
Markdown understands it: ``\|`` a bar, ``\\`` a backslash, ``<br>`` a new line, ``\<`` and
``\&`` where a tag or an entity would begin, ``&#9;`` a control character or a space at the edge.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sonde.core.errors import SondeError

# A tag or entity is markup only if it looks like one: "0.67 < 0.69" and "SAE & TC" stay readable.
_SPECIAL = re.compile(
    r"[\\|]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|^ | \Z"
)
_WRITTEN = re.compile(r"\\([\\|<&])|<br\s*/?>|&#(\d{1,7});", re.IGNORECASE)
_BAR = re.compile(r"(?<!\\)((?:\\\\)*)\|")
_DASHES = re.compile(r":?-+:?")
_PADDING = " \t\r"


def cell_of(text: str) -> str:
    """Write a text as one cell."""
    return _SPECIAL.sub(_escaped, text)


def text_of(cell: str) -> str:
    """Return the text of a cell: the inverse of ``cell_of``."""
    return _WRITTEN.sub(_meant, cell.strip(_PADDING))


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    if character in "\\|<&":
        return f"\\{character}"
    return "<br>" if character == "\n" else f"&#{ord(character)};"


def _meant(found: re.Match[str]) -> str:
    escaped, number = found.groups()
    if escaped:
        return escaped
    if number is None:
        return "\n"
    return chr(int(number)) if int(number) <= 0x10FFFF else found.group()


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a table: a line for the names, one that divides, and one a row."""
    yield _line(columns)
    yield _line(["---"] * len(columns))
    for row in rows:
        yield _line([cell_of(text) for text in row])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


@dataclass(slots=True)
class _Row:
    """A row that is being read: its finished cells, and the text of the one after them."""

    line: int
    cells: list[str] = field(default_factory=list[str])
    rest: str = ""

    def take(self, text: str) -> None:
        """Add a line's text; a line that ends without a bar leaves its cell open."""
        parts = _BAR.sub(r"\1\n", f"{self.rest} {text}").split("\n")
        self.cells += map(text_of, parts[:-1])
        self.rest = parts[-1]


def read_table(text: str, columns: Sequence[str], *, where: str) -> tuple[tuple[str, ...], ...]:
    """Read the rows of a table as texts, one for each of ``columns``.

    The first row may be their names, in any order, followed by a line of dashes; without them the
    cells come in the order of ``columns``. A row may go over several lines, one cell or part of a
    cell on each, as a table looks after a program has broken it. Lines outside are passed over.

    Raises:
        SondeError: a row has another number of cells, or a name is not a column; ``where`` and the
            line are named.
    """
    rows = list(_rows(text, len(columns), where))
    if len(rows) > 1 and all(_DASHES.fullmatch(cell) for cell in rows[1].cells):
        names = _named(rows[0], columns, where)
        rows = rows[2:]
    else:
        names = list(columns)
    places = [names.index(name) if name in names else None for name in columns]
    for row in rows:
        if len(row.cells) != len(names) or row.rest.strip():
            raise _ragged(row, len(names), where)
    return tuple(
        tuple("" if place is None else row.cells[place] for place in places) for row in rows
    )


def _rows(text: str, width: int, where: str) -> Iterator[_Row]:
    """Gather lines into rows. The first row, if it holds the names, says how long rows are."""
    lines = text.split("\n")
    divided = [
        index
        for index, line in enumerate(lines[1:], 1)
        if line.startswith("|") and "-" in line and set(line) <= set("|:-" + _PADDING)
    ]
    if divided:
        width = len(_BAR.findall(lines[divided[0] - 1])) - 1
    row: _Row | None = None
    for number, line in enumerate(lines, 1):
        content = line.strip(_PADDING)
        # A bar alone on its line ends an empty cell; any other bar in front begins a row.
        begins = content.startswith("|") and (content != "|" or row is None)
        if begins and row is not None:
            raise _ragged(row, width, where)
        if begins:
            row, content = _Row(number), content[1:]
        if row is None:
            continue
        row.take(content)
        if len(row.cells) >= width:
            yield row
            row = None
    if row is not None:
        raise _ragged(row, width, where)


def _named(header: _Row, columns: Sequence[str], where: str) -> list[str]:
    written = {name.lower(): name for name in columns}
    given = [name.strip("*` ").lower() for name in header.cells]
    names = [written.get(name, name) for name in given]
    unknown = [name for name in names if name not in columns]
    if unknown or len(set(names)) != len(names):
        wrong = unknown[0] if unknown else next(name for name in names if names.count(name) > 1)
        raise SondeError(
            f"{where}, line {header.line}: the column {wrong!r} is "
            f"{'not one of the table of runs' if unknown else 'there twice'}.",
            fix=f"Its columns are {', '.join(columns)}.",
        )
    return names


def _ragged(row: _Row, width: int, where: str) -> SondeError:
    return SondeError(
        f"{where}, line {row.line}: the row that begins here has {len(row.cells)} cells, "
        f"and the table has {width} columns.",
        fix="End every cell with a bar; write a bar that belongs to a text as \\|.",
    )
