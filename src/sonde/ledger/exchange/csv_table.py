"""CSV as RFC 4180 has it: UTF-8, lines that end in CR LF, quotes around what needs them.

An empty cell is nothing. A spreadsheet takes a text that begins with ``=``, ``+``, ``-``, ``@``, a
tab or a line's end for a formula, so such a text gets an apostrophe in front, as one would type it
there, and an import takes that one off again.
"""

import csv
import io
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import IO

from sonde.core.errors import SondeError
from sonde.ledger.exchange.flat import COLUMNS, NAMES, Row, check_names, flat_rows, records_from
from sonde.ledger.exchange.record import RunRecord

_LONGEST = 1 << 30  # characters of a cell; Python's own limit is 131,072
_LIKE_A_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_GUARDED = re.compile(r"''*[=+\-@\t\r\n]")
_TEXTS = frozenset(column.name for column in COLUMNS if column.kind == "text")


def write_csv(records: Iterable[RunRecord], file: IO[bytes]) -> None:
    """Write the names of the columns, and a line for each result."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(NAMES)
    for row in flat_rows(records):
        writer.writerow([_written(value) for value in row])
    text.flush()
    text.detach()


def read_csv(file: IO[bytes], where: str) -> Iterator[RunRecord]:
    """Read runs.

    Raises:
        SondeError: it is no such table, or a value is not what its column holds.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    with _long_cells():
        yield from records_from(_rows(text, where))


def _rows(text: Iterable[str], where: str) -> Iterator[tuple[str, Row]]:
    reader = csv.reader(text, strict=True)
    try:
        names = next(reader, list[str]())
        check_names(names, where)
        for cells in reader:
            place = f"{where}, line {reader.line_num}"
            if len(cells) != len(names):
                raise SondeError(
                    f"{place}: {len(cells)} cells, and the table has {len(names)} columns.",
                    fix="The file was changed or cut short; export it again.",
                )
            yield place, {name: _read(name, cell) for name, cell in zip(names, cells, strict=True)}
    except (csv.Error, UnicodeDecodeError) as error:
        raise SondeError(
            f"{where}, line {reader.line_num}, is not CSV in UTF-8: {error}.",
            fix="Save the table as CSV (UTF-8) with commas.",
        ) from None


def _written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if _LIKE_A_FORMULA.match(value) else value
    return str(value)


def _read(name: str, cell: str) -> str | None:
    if cell == "":
        return None
    return cell[1:] if name in _TEXTS and _GUARDED.match(cell) else cell


@contextmanager
def _long_cells() -> Generator[None]:
    before = csv.field_size_limit(_LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)
