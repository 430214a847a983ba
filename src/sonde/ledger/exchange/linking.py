"""Which imported run replaced which, once all of them are there."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from sonde.ledger.clock import now
from sonde.ledger.exchange.origins import known_labels
from sonde.ledger.exchange.record import ReplacedRecord, RunRecord
from sonde.ledger.rows import insert_row
from sonde.ledger.schema import supersessions
from sonde.ledger.supersession import runs_after


def link_runs(
    connection: Connection, records: Sequence[RunRecord], origins: Mapping[str, int]
) -> list[str]:
    """Record what replaced runs; return what needs a look.

    Args:
        connection: in a transaction that writes.
        records: runs that another replaced.
        origins: the numbers of runs of this ledger by their origin.
    """
    wanted = (one.label for record in records for one in record.replaced if not one.by)
    labels = known_labels(connection, wanted)
    pairs = ((record, one) for record in records for one in record.replaced)
    notes: list[str] = []
    # In the order in which it was recorded; what a table says has no time, and comes last.
    for record, one in sorted(pairs, key=lambda pair: pair[1].recorded or "~"):
        new = origins.get(one.by) if one.by else labels.get(one.label)
        notes.append(_linked(connection, (origins.get(record.origin), new), record, one))
    return [note for note in notes if note]


def _linked(
    connection: Connection,
    runs: tuple[int | None, int | None],
    record: RunRecord,
    one: ReplacedRecord,
) -> str:
    """Record what replaced a run, where both are here and it is not recorded yet.

    Returns why that cannot be, empty where nothing stands in the way.
    """
    old, new = runs
    if old is None:
        return ""  # left out
    if new is None:
        return (
            f"{record.label} was {record.shown} by {one.label or one.by}, which is neither in the "
            "file nor in this ledger: import it too, then supersede by hand."
        )
    if old in (new, *runs_after(connection, new)):
        return (
            f"{record.label} and {one.label or one.by} would supersede each other, which is left "
            "out."
        )
    if not _is_linked(connection, old, new, one.why):
        row = {"old_run": old, "new_run": new, "why": one.why, "recorded": one.recorded or now()}
        insert_row(connection, supersessions, row)
    return ""


def _is_linked(connection: Connection, old: int, new: int, why: str) -> bool:
    table = supersessions.c
    same = select(table.id).where(table.old_run == old, table.new_run == new, table.why == why)
    return connection.execute(same).first() is not None
