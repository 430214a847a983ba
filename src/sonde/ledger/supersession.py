"""That one run replaces another. Both stay as they were; the ledger adds why."""

from collections.abc import Sequence

from sqlalchemy import Connection, or_, select

from sonde.core.errors import SondeError
from sonde.ledger.clock import now
from sonde.ledger.processes import Onlooker
from sonde.ledger.records import DONE, RUNNING, Supersession
from sonde.ledger.rows import insert_row, rows_for
from sonde.ledger.runs import known_run
from sonde.ledger.schema import supersessions
from sonde.ledger.states import shown_state


def supersede(connection: Connection, old: int, new: int, why: str) -> None:
    """Let a run replace another, or make up for one that gave no result.

    A run may be superseded again; the rows are kept, and the newest counts.

    Raises:
        SondeError: a run is missing, the old one still runs, the new one is not done, no reason is
            given, or the two would replace each other.
    """
    rows = {run: known_run(connection, run) for run in (old, new)}
    if not why.strip():
        raise SondeError(
            f"Why run {new} supersedes run {old} is missing.", fix="Say it in a sentence."
        )
    if old == new:
        raise SondeError(f"Run {old} cannot supersede itself.", fix="Name the run that does.")
    if old in runs_after(connection, new):
        raise SondeError(
            f"Run {old} supersedes run {new} already, so run {new} cannot supersede it.",
            fix=f"`sonde ledger show {old}` lists what it supersedes, and why.",
        )
    if shown_state(rows[old], replaced=False, onlooker=Onlooker()) == RUNNING:
        raise SondeError(f"Run {old} is still running.", fix="Stop it, or wait until it is done.")
    if rows[new]["state"] != DONE:
        raise SondeError(
            f"Run {new} is not done, so it has no result to take the place of run {old}'s.",
            fix="Name a run that is done.",
        )
    row = {"old_run": old, "new_run": new, "why": why, "recorded": now()}
    insert_row(connection, supersessions, row)


def replaced_by(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Return, of those runs that another replaces, the one that does."""
    query = select(supersessions).order_by(supersessions.c.id)
    found = rows_for(connection, query, supersessions.c.old_run, ids)
    return {row["old_run"]: row["new_run"] for row in found}


def supersessions_of(connection: Connection, run: int) -> tuple[Supersession, ...]:
    """Return what a run supersedes and what supersedes it, oldest first."""
    query = (
        select(supersessions)
        .where(or_(supersessions.c.old_run == run, supersessions.c.new_run == run))
        .order_by(supersessions.c.id)
    )
    return tuple(
        Supersession(row.old_run, row.new_run, row.why, row.recorded)
        for row in connection.execute(query)
    )


def runs_after(connection: Connection, run: int) -> set[int]:
    """Return every run that was ever said to replace a run, or one that replaced it, and so on."""
    found: set[int] = set()
    edge = {run}
    while edge:
        query = select(supersessions.c.new_run).where(supersessions.c.old_run.in_(edge))
        edge = {row.new_run for row in connection.execute(query)} - found
        found |= edge
    return found
