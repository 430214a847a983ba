"""Exporting runs to a file and importing them from one."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine

from sonde.core.errors import SondeError
from sonde.core.files import write_atomic
from sonde.ledger.database import reading
from sonde.ledger.exchange.cells import cells_of
from sonde.ledger.exchange.collecting import chosen, collected
from sonde.ledger.exchange.formats import FORMATS, Format, format_of
from sonde.ledger.exchange.origins import known_labels
from sonde.ledger.exchange.record import RunRecord
from sonde.ledger.exchange.restoring import Imported, restore
from sonde.ledger.records import RunFilter


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs to export: those a filter finds, or some of them by number; with what."""

    filter: RunFilter = field(default_factory=RunFilter)
    only: tuple[int, ...] = ()
    units: bool = False  # with the scores of their units, in base64


def export_runs(
    engine: Engine, to: Path | IO[bytes], wanted: Wanted | None = None, format: str | None = None
) -> int:
    """Write runs to a file, or to an open one; return how many.

    The file is whole or not there. All runs are read in one transaction, so what is written was
    true at one moment.

    Raises:
        SondeError: the format is unknown, no run matches, or the file cannot be written.
    """
    path = to if isinstance(to, Path) else None
    chosen_format = format_of(path, format)
    asked = wanted or Wanted()
    if asked.units and not chosen_format.units:
        raise SondeError(
            "The scores of units have no place in this format.", fix="Export as JSON Lines."
        )
    with reading(engine) as connection:
        ids = chosen(connection, asked.filter, asked.only)
        if not ids:
            raise SondeError("No run matches, so there is nothing to export.")
        records = collected(connection, ids, units=asked.units)
        if path is None:
            assert not isinstance(to, Path)
            chosen_format.write(records, to)
        else:
            write_atomic(path, lambda aside: _write(chosen_format, records, aside))
    return len(ids)


def _write(format_: Format, records: Iterable[RunRecord], path: Path) -> None:
    with path.open("wb") as file:
        format_.write(records, file)


def import_runs(engine: Engine, path: Path, format: str | None = None) -> Imported:
    """Read runs from a file into a ledger; one that is there already is left as it is.

    Raises:
        SondeError: the file is not there, or is not what its format says. Runs read before the
            fault may have been written; the import can be repeated.
    """
    chosen_format = format_of(path, format)
    try:
        with path.open("rb") as file:
            records = chosen_format.read(file, str(path))
            if chosen_format is FORMATS["markdown"]:
                return _import_table(engine, list(records))
            return restore(engine, records)
    except FileNotFoundError:
        raise SondeError(f"{path} does not exist.") from None
    except (IsADirectoryError, PermissionError) as error:
        raise SondeError(f"{path} cannot be read: {error.strerror}.") from None


def _import_table(engine: Engine, records: Sequence[RunRecord]) -> Imported:
    """Import a Markdown table. Its rows name no origin, so a run is known by what it says."""
    with reading(engine) as connection:
        labels = known_labels(connection, (record.label for record in records))
        same = set(_written_alike(connection, labels, records))
    done = restore(engine, [record for record in records if record.label not in same])
    new = set(done.new)
    changed = [
        f"{record.label}: the ledger had run {labels[record.label]} of that id, which says "
        "something else; both are kept."
        for record in records
        if record.label in labels and record.label not in same and new
    ]
    return replace(done, there=done.there + len(same), notes=(*done.notes, *changed))


def _written_alike(
    connection: Connection, labels: dict[str, int], records: Iterable[RunRecord]
) -> Iterator[str]:
    """Return the labels of rows that a run of the ledger would be written as."""
    cells = {record.label: cells_of(record) for record in records}
    ids = sorted(labels.values())
    for record in collected(connection, ids, units=False):
        if cells_of(record) == cells.get(record.label):
            yield record.label
