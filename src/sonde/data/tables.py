"""Rows of a file, whatever its format: every row comes with the words that name it in an error.

Rows are counted as the reader of the file sees them: a spreadsheet's row numbers for CSV and TSV
(the header is row 1), line numbers for JSON Lines and text, 1 for the first row of Parquet.
"""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError, nearest

Row = tuple[str, dict[str, Any]]


def read_rows(path: Path) -> Iterator[Row]:
    """Yield ``(where, {column: value})`` for each row; ``where`` is like ``sentences.csv, row 12``.

    Raises:
        SondeError: the file is missing, of an unknown format or damaged; a row has more or fewer
            fields than the header, is not UTF-8, or is not JSON.
    """
    if not path.is_file():
        raise _missing(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise SondeError(
            f"{path} has the ending {path.suffix!r}, which sonde does not read as data.",
            fix=f"Files end in {', '.join(_READERS)}.",
        )
    return reader(path)


def _missing(path: Path) -> SondeError:
    folder = path.parent
    if path.is_dir():
        return SondeError(f"{path} is a folder.", fix="Give a file in it.")
    if not folder.is_dir():
        return SondeError(f"{path} does not exist: there is no folder {folder}.")
    names = [entry.name for entry in folder.iterdir() if entry.is_file()]
    hint = nearest(path.name, names) or f" {folder} holds no file of a similar name."
    return SondeError(f"{path} does not exist.{hint}")


def _lines(path: Path) -> Iterator[str]:
    """Yield decoded lines, with their line ends, and name the line that is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise SondeError(
                    f"{path.name}, line {number} is not UTF-8: byte {error.start + 1} of the line "
                    f"is {line[error.start]:#04x}.",
                    fix="Save the file as UTF-8.",
                ) from None


def _delimited(path: Path, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(2**31 - 1)  # a text may be longer than csv's default of 128 kB
    reader = csv.reader(_lines(path), delimiter=delimiter, strict=True)
    header: list[str] = []
    number = 0
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise SondeError(
                f"{path.name}, line {reader.line_num} cannot be read: {error}.",
                fix='Write a quotation mark inside a field twice, and the field in quotes: "".',
            ) from None
        if fields is None:
            break
        number += 1
        if not fields:
            continue  # a blank line
        where = f"{path.name}, row {number}"
        if not header:
            header = _header([name.strip() for name in fields], where)
        elif len(fields) != len(header):
            raise SondeError(
                f"{where} has {len(fields)} fields, and the header has {len(header)} "
                f"({', '.join(header)}).",
                fix="Put fields that hold the separator in quotes.",
            )
        else:
            yield where, dict(zip(header, fields, strict=True))


def _header(names: list[str], where: str) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SondeError(f"{where}: the column {twice[0]!r} stands twice in the header.")
    return names


def _json_lines(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path.name}, line {number}"
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise SondeError(f"{where} is not JSON: {error.msg} at {error.pos + 1}.") from None
        if not isinstance(value, dict):
            raise SondeError(
                f"{where} is not a JSON object.", fix='Write one {"prompt": …} on each line.'
            )
        yield where, value


def _parquet(path: Path) -> Iterator[Row]:
    from pyarrow import ArrowException  # slow to import
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=4096):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path.name}, row {number}", row
    except (ArrowException, OSError) as error:
        raise SondeError(f"{path} is not a whole Parquet file: {error}.") from None


def _text(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_lines(path), 1):
        yield f"{path.name}, line {number}", {"text": line.rstrip("\r\n")}


_READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".csv": lambda path: _delimited(path, ","),
    ".tsv": lambda path: _delimited(path, "\t"),
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
    ".txt": _text,
}
