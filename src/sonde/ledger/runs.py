"""Writing runs: their beginning, their heartbeat and their end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, insert, select, update

from sonde.core.errors import SondeError, nearest
from sonde.ledger.clock import now
from sonde.ledger.processes import this_process
from sonde.ledger.records import DONE, FAILED, INTERRUPTED, PURPOSES, RUNNING, SKIPPED, RunStart
from sonde.ledger.rows import insert_row
from sonde.ledger.schema import names_of, run_details, run_texts, runs

ENDED = (DONE, FAILED, SKIPPED, INTERRUPTED)  # other states follow from other rows


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended."""

    state: str
    reason: str
    seconds: float
    cost: Mapping[str, Any]


def begin_run(connection: Connection, start: RunStart) -> int:
    """Insert a run that begins in this process."""
    moment = now()
    given = {name: getattr(start, name) for name in type(start).__dataclass_fields__}
    return insert_run(
        connection,
        {
            **given,
            "dirty": None if start.dirty is None else int(start.dirty),
            "model": _model_of(start),
            "state": RUNNING,
            "reason": "",
            "started": moment,
            "beat": moment,
            "process": this_process(),
            "cost": {},
        },
    )


def insert_run(connection: Connection, columns: Mapping[str, Any]) -> int:
    """Insert a run with the columns of ``runs`` and ``run_details``; return its number.

    What neither table has is passed over, and so is ``id``: the ledger numbers its runs.

    Raises:
        SondeError: the purpose is none.
    """
    if columns["purpose"] not in PURPOSES:
        raise SondeError(
            f"{columns['purpose']!r} is not a purpose of a run.",
            fix=f"Purposes are {', '.join(PURPOSES)}.",
        )
    number = insert_row(connection, runs, columns)
    details = {name: columns[name] for name in names_of(run_details) if name in columns}
    connection.execute(insert(run_details), {**details, "run_id": number})
    text = folded(columns["question"], columns["reason"])
    connection.execute(insert(run_texts), {"run_id": number, "text": text})
    return number


def beat(connection: Connection, run: int) -> None:
    """Note that the process of a run is still there.

    Raises:
        SondeError: there is no such run, or it has ended.
    """
    _running(connection, run)
    connection.execute(update(runs).where(runs.c.id == run).values(beat=now()))


def end_run(connection: Connection, run: int, end: Ending) -> None:
    """Note how a run ended and what it cost.

    Raises:
        SondeError: there is no such run, it has ended already, or there is no such way to end.
    """
    _running(connection, run)
    if end.state not in ENDED:
        raise SondeError(
            f"Run {run} cannot end as {end.state!r}.{nearest(end.state, ENDED)}",
            fix=f"Runs end as {', '.join(ENDED)}.",
        )
    change = {"state": end.state, "reason": end.reason, "ended": now(), "seconds": end.seconds}
    connection.execute(update(runs).where(runs.c.id == run).values(**change))
    cost = update(run_details).where(run_details.c.run_id == run).values(cost=end.cost)
    connection.execute(cost)
    add_text(connection, run, end.reason)


def resume_run(connection: Connection, run: int) -> None:
    """Note that a run which was done goes on in the process that began it.

    Raises:
        SondeError: there is no such run, it is not done, or another process began it.
    """
    row = known_run(connection, run)
    if row["state"] != DONE or row["process"] != this_process():
        why = "another process began it" if row["state"] == DONE else f"it is {row['state']}"
        raise SondeError(
            f"Run {run} cannot go on: {why}.", fix="Begin a run of its own; it may supersede this."
        )
    change = update(runs).where(runs.c.id == run)
    connection.execute(change.values(state=RUNNING, ended=None, beat=now()))


def _running(connection: Connection, run: int) -> None:
    row = known_run(connection, run)
    if row["state"] != RUNNING:
        raise SondeError(
            f"Run {run} has ended already: it is {row['state']}.",
            fix="What a run ended as is never changed; another run may supersede it.",
        )


def add_text(connection: Connection, run: int, *parts: str) -> None:
    """Let a run be found by these words too."""
    words = folded(*parts)
    if words:
        longer = run_texts.c.text + "\n" + words
        connection.execute(update(run_texts).where(run_texts.c.run_id == run).values(text=longer))


def folded(*parts: str) -> str:
    """Return texts in one, in folded case: what free text is compared with."""
    return "\n".join(part for part in parts if part).casefold()


def known_run(connection: Connection, run: int) -> Mapping[str, Any]:
    """Return a run's row.

    Raises:
        SondeError: there is no such run.
    """
    row = connection.execute(select(runs).where(runs.c.id == run)).mappings().first()
    if row is None:
        raise SondeError(f"The ledger has no run {run}.", fix="See them with `sonde ledger list`.")
    return cast("Mapping[str, Any]", row)


def _model_of(start: RunStart) -> str:
    """Return the name that a run's model is listed by."""
    if start.facts.get("model"):
        return str(start.facts["model"])
    model = start.resolved.get("model")
    if isinstance(model, Mapping):
        return str(cast("Mapping[str, Any]", model).get("name") or "")
    return str(model or "")
