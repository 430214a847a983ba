"""Claims as they were registered, and what runs said of them. No row is ever changed."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, RowMapping, select, text

from sonde.core.errors import SondeError, nearest
from sonde.ledger.clock import now
from sonde.ledger.intervals import interval_read, interval_stored, number
from sonde.ledger.records import (
    SMOKE,
    VERDICTS,
    ClaimStart,
    Registration,
    Verdict,
    VerdictRow,
)
from sonde.ledger.rows import insert_row
from sonde.ledger.runs import known_run
from sonde.ledger.schema import claims, names_of, verdicts

IN_ORDER = (claims.c.registered, claims.c.id)  # an import brings earlier ones later
LOCK = 7367  # any number that the migrations' lock does not have


def register(connection: Connection, starts: Sequence[ClaimStart]) -> tuple[Registration, ...]:
    """Register claims; one that stands as it was registered gives that registration back.

    Raises:
        SondeError: one belongs to a smoke run, which may make no claim.
    """
    for start in starts:
        if start.purpose == SMOKE:
            raise _no_claim(f"The experiment {start.experiment} has the purpose smoke")
    # SQLite's writers come one after the other anyway; a server's are made to, so that two that
    # register one claim at once get one row, and each change follows the one before it.
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    return tuple(_registered(connection, start) for start in starts)


def registrations(connection: Connection, experiment: str) -> tuple[Registration, ...]:
    """Return the claims of an experiment in the order in which they were registered."""
    query = select(claims).where(claims.c.experiment == experiment).order_by(*IN_ORDER)
    return tuple(map(_registration, connection.execute(query).mappings()))


def record_verdicts(connection: Connection, run: int, given: Sequence[Verdict]) -> None:
    """Add what a run says of claims.

    Raises:
        SondeError: the run is a smoke run or none, a claim is not registered, or a verdict is none.
    """
    row = known_run(connection, run)
    if row["purpose"] == SMOKE:
        raise _no_claim(f"Run {run} has the purpose smoke")
    for verdict in given:
        if verdict.verdict not in VERDICTS:
            raise SondeError(
                f"{verdict.verdict!r} is not a verdict.{nearest(verdict.verdict, VERDICTS)}",
                fix=f"Verdicts are {', '.join(VERDICTS)}.",
            )
        known = select(claims.c.experiment).where(claims.c.id == verdict.claim)
        experiment = connection.execute(known).scalar()
        if experiment is None:
            raise SondeError(
                f"The ledger has no registered claim {verdict.claim}.",
                fix="Register a claim before a run judges it.",
            )
        if experiment != row["name"]:
            raise SondeError(
                f"Claim {verdict.claim} belongs to the experiment {experiment}, and run {run} to "
                f"{row['name']}.",
            )
        insert_row(connection, verdicts, {"run_id": run, **_verdict_columns(verdict)})


def verdicts_where(
    connection: Connection, *, experiment: str | None = None, run: int | None = None
) -> tuple[VerdictRow, ...]:
    """Return the verdicts on an experiment's claims, of a run, or all, oldest first."""
    query = (
        select(verdicts, claims.c.experiment, claims.c.name)
        .join(claims, claims.c.id == verdicts.c.claim_id)
        .order_by(verdicts.c.id)
    )
    if experiment is not None:
        query = query.where(claims.c.experiment == experiment)
    if run is not None:
        query = query.where(verdicts.c.run_id == run)
    return tuple(map(_verdict_row, connection.execute(query).mappings()))


def registered_as(known: Sequence[Registration], said: str) -> Registration | None:
    """Return the registration of a claim that says what a hash is of, or None if it needs one.

    Of the registrations of one name the newest stands. So does the newest one that was made before
    results: later ones are post hoc, and what was claimed when the results came is claimed still.
    To put back what was changed before that is another change. Where registrations of two ledgers
    say the same one after the other, the earlier counts.

    Args:
        known: the registrations of the claim's name, oldest first.
        said: the hash of what it says now.
    """
    on_time = [one for one in known if not one.after_results]
    found = next((one for one in (*known[-1:], *on_time[-1:]) if one.hash == said), None)
    if found is None:
        return None
    before = known[: known.index(found)]
    same = takewhile(lambda one: one.hash == said, reversed(before))
    return (found, *same)[-1]


def _registered(connection: Connection, start: ClaimStart) -> Registration:
    query = (
        select(claims)
        .where(
            claims.c.experiment == start.experiment,
            claims.c.name == start.name,
            claims.c.variant == start.variant,
        )
        .order_by(*IN_ORDER)
    )
    known = tuple(map(_registration, connection.execute(query).mappings()))
    found = registered_as(known, start.hash)
    if found is not None:
        return found
    columns = {
        **{name: getattr(start, name) for name in names_of(claims) if hasattr(start, name)},
        "after_results": int(start.after_results),
        "registered": now(),
        "replaces": known[-1].id if known else None,
    }
    query = select(claims).where(claims.c.id == insert_row(connection, claims, columns))
    return _registration(connection.execute(query).mappings().one())


def _registration(row: RowMapping) -> Registration:
    return Registration(
        id=row["id"],
        experiment=row["experiment"],
        name=row["name"],
        hash=row["hash"],
        registered=row["registered"],
        content=row["content"],
        spec_hash=row["spec_hash"],
        after_results=bool(row["after_results"]),
        replaces=row["replaces"],
        variant=row["variant"],
    )


# Fields that a verdict and its row share as they are.
_WORDS = ("variant", "verdict", "statement", "design", "n", "why", "advice", "inputs")
_NUMBERS = ("boundary", "p", "p_adjusted")


def _verdict_columns(verdict: Verdict) -> dict[str, Any]:
    return {
        **{name: getattr(verdict, name) for name in _WORDS},
        **{name: number(getattr(verdict, name)) for name in _NUMBERS},
        "claim_id": verdict.claim,
        "effect": interval_stored(verdict.effect),
        "post_hoc": int(verdict.post_hoc),
        "recorded": now(),
    }


def _verdict_row(row: RowMapping) -> VerdictRow:
    same: dict[str, Any] = {name: row[name] for name in (*_WORDS, *_NUMBERS)}
    return VerdictRow(
        **same,
        claim=row["claim_id"],
        effect=interval_read(row["effect"]),
        post_hoc=bool(row["post_hoc"]),
        id=row["id"],
        run=row["run_id"],
        experiment=row["experiment"],
        name=row["name"],
        recorded=row["recorded"],
    )


def _no_claim(what: str) -> SondeError:
    return SondeError(
        f"{what}: it checks that everything works, and may make no claim.",
        fix="Set `purpose: exploratory`, or take the claims out.",
    )
