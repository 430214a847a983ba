"""The formats that runs leave and enter a ledger in."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeAlias

from sonde.core.errors import SondeError, nearest
from sonde.ledger.exchange.csv_table import read_csv, write_csv
from sonde.ledger.exchange.json_lines import read_json_lines, write_json_lines
from sonde.ledger.exchange.parquet_table import read_parquet, write_parquet
from sonde.ledger.exchange.record import RunRecord
from sonde.ledger.exchange.run_table import read_run_table, write_run_table

Write: TypeAlias = Callable[[Iterable[RunRecord], IO[bytes]], None]
Read: TypeAlias = Callable[[IO[bytes], str], Iterator[RunRecord]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format: how its files end, how it is written and read, and whether it is text."""

    endings: tuple[str, ...]
    write: Write
    read: Read
    text: bool = True
    units: bool = False  # whether the scores of units have a place in it


FORMATS: Mapping[str, Format] = {
    "markdown": Format((".md", ".markdown"), write_run_table, read_run_table),
    "csv": Format((".csv",), write_csv, read_csv),
    "parquet": Format((".parquet", ".pq"), write_parquet, read_parquet, text=False),
    "jsonl": Format((".jsonl", ".ndjson"), write_json_lines, read_json_lines, units=True),
}


def format_of(path: Path | None, name: str | None) -> Format:
    """Return the format of a name, or else the one that a file's ending stands for.

    Raises:
        SondeError: there is no such format, or neither says which.
    """
    if name is not None:
        if name not in FORMATS:
            raise SondeError(
                f"{name!r} is not a format.{nearest(name, FORMATS)}",
                fix=f"Formats are {', '.join(FORMATS)}.",
            )
        return FORMATS[name]
    ending = path.suffix.lower() if path is not None else ""
    for found in FORMATS.values():
        if ending in found.endings:
            return found
    endings = ", ".join(ending for found in FORMATS.values() for ending in found.endings)
    what = f"{path} does not say which format it is in" if path else "No format is named"
    raise SondeError(
        f"{what}.", fix=f"End the file in {endings}, or give --format {'|'.join(FORMATS)}."
    )
