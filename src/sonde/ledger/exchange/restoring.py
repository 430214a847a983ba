"""Writing records into a ledger. A run that is there already is left as it is."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, select, text

from sonde.core.errors import SondeError
from sonde.ledger.columns import Row
from sonde.ledger.database import writing
from sonde.ledger.exchange.linking import link_runs
from sonde.ledger.exchange.origins import RUN_ID, imported_origins, native_origins
from sonde.ledger.exchange.record import (
    ClaimRecord,
    ResultRecord,
    RunRecord,
    StageRecord,
    StatusRecord,
    VerdictRecord,
)
from sonde.ledger.intervals import number
from sonde.ledger.questions import question_of
from sonde.ledger.records import REUSED, RUNNING, SMOKE
from sonde.ledger.rows import insert_row
from sonde.ledger.runs import insert_run
from sonde.ledger.schema import (
    claims,
    result_statuses,
    results,
    stages,
    verdicts,
)
from sonde.ledger.stages import insert_results, maker_of
from sonde.ledger.unit_scores import UnitsFile, keep_units

PAGE = 100  # runs written in one transaction
LOCK = 7368  # of importers on a server; any number that no other lock has


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: the numbers of new runs, how many were there, and what needs a look."""

    new: tuple[int, ...] = ()
    there: int = 0
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Work:
    """One import: what it has found and done so far."""

    origins: dict[str, int]
    new: list[int] = field(default_factory=list[int])
    there: int = 0
    notes: list[str] = field(default_factory=list[str])
    links: list[RunRecord] = field(default_factory=list[RunRecord])


def restore(engine: Engine, records: Iterable[RunRecord]) -> Imported:
    """Write runs that the ledger does not have yet, and what replaced what.

    Runs go in by the hundred, so other writers need not wait for all; an import that was stopped
    is finished by importing again. A run that was still running when it was exported stays out.

    Raises:
        SondeError: a record contradicts itself, such as scores that are not what their hash says.
    """
    work: _Work | None = None
    page: list[RunRecord] = []
    for record in records:
        page.append(record)
        if len(page) == PAGE:
            work = _write_page(engine, page, work)
            page = []
    work = _write_page(engine, page, work)
    if work.links:
        with writing(engine) as connection:
            work.notes += link_runs(connection, work.links, work.origins)
    return Imported(tuple(work.new), work.there, tuple(work.notes))


def _write_page(engine: Engine, page: Sequence[RunRecord], work: _Work | None) -> _Work:
    with writing(engine) as connection:
        if connection.dialect.name != "sqlite":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        work = work or _Work(native_origins(connection))
        # Another importer may have written since the last page.
        named = {one.by for record in page for one in record.replaced if one.by}
        named |= {record.origin for record in page}
        work.origins |= imported_origins(connection, named - work.origins.keys())
        for record in page:
            if record.replaced:
                work.links.append(record)
            if record.origin in work.origins:
                work.there += 1
            elif record.state == RUNNING:
                work.notes.append(
                    f"{record.label} was still running when it was exported, and is left out: "
                    "export it again once it has ended."
                )
            else:
                run = _write_run(connection, record)
                work.origins[record.origin] = run
                work.new.append(run)
    return work


def _write_run(connection: Connection, record: RunRecord) -> int:
    columns = record.model_dump(exclude={"stages", "claims", "verdicts", "replaced", "units"})
    columns["facts"] = {RUN_ID: record.label, **record.facts}
    run = insert_run(connection, columns)
    keep_units(connection, [_file(name, one) for name, one in record.units.items()])
    contents = {stage.key: stage.made_of for stage in record.stages}
    for stage in record.stages:
        question = question_of(stage.key, contents, same_rows=record.purpose == SMOKE)
        _write_stage(connection, run, stage, question)
    known = _write_claims(connection, record.claims)
    for verdict in record.verdicts:
        _write_verdict(connection, run, verdict, known, record.label)
    return run


def _write_stage(connection: Connection, run: int, record: StageRecord, question: str) -> None:
    """Insert a stage. Results that it reused are inserted only where their maker is not here."""
    columns = {**record.model_dump(exclude={"results"}), "run_id": run, "question": question}
    row = {**columns, "id": insert_row(connection, stages, columns)}
    there = _results_there(connection, row) if record.state == REUSED else []
    given = [] if there else [_result_columns(result) for result in record.results]
    there += insert_results(connection, row, given)
    # A maker with other results than the file says is a stage of another sonde: its own count.
    for result, written in zip(record.results, there, strict=False):
        for status in result.statuses:
            _write_status(connection, run, written, status)


def _results_there(connection: Connection, stage: Row) -> list[int]:
    """Return the numbers of the results that a reused stage shows, if their maker is here."""
    query = select(results.c.id).where(results.c.stage_id == maker_of(connection, stage))
    return list(connection.execute(query.order_by(results.c.id)).scalars())


def _result_columns(record: ResultRecord) -> dict[str, Any]:
    columns = record.model_dump(exclude={"statuses"})
    return columns | {name: number(columns[name]) for name in ("value", "low", "high", "level")}


def _write_status(connection: Connection, run: int, result: int, record: StatusRecord) -> None:
    row = {
        **record.model_dump(exclude={"by_hand"}),
        "result_id": result,
        "run_id": None if record.by_hand else run,
    }
    table = result_statuses.c
    same = select(table.id).where(
        table.result_id == result,
        table.run_id == row["run_id"] if row["run_id"] is not None else table.run_id.is_(None),
        table.status == record.status,
        table.recorded == record.recorded,
    )
    # What was said by hand of a result comes along with every run that shows the result.
    if not record.by_hand or connection.execute(same).first() is None:
        insert_row(connection, result_statuses, row)


def _write_claims(
    connection: Connection, records: Sequence[ClaimRecord]
) -> dict[tuple[str, ...], int]:
    """Insert the claims that are not registered here, with the time of their registration.

    Returns their numbers by name, variant, hash and time, and those of the newest without a time.
    """
    known: dict[tuple[str, ...], int] = {}
    for record in records:
        query = select(claims.c.id).where(
            claims.c.experiment == record.experiment,
            claims.c.name == record.name,
            claims.c.variant == record.variant,
            claims.c.hash == record.hash,
            claims.c.registered == record.registered,
        )
        found = connection.execute(query).scalar()
        if found is None:
            columns = {
                **record.model_dump(),
                "after_results": int(record.after_results),
                "replaces": known.get((record.name, record.variant, record.replaces or "")),
            }
            found = insert_row(connection, claims, columns)
        said = (record.name, record.variant, record.hash)
        known[said] = known[*said, record.registered] = found
    return known


def _write_verdict(
    connection: Connection,
    run: int,
    record: VerdictRecord,
    known: Mapping[tuple[str, ...], int],
    label: str,
) -> None:
    key: tuple[str, ...] = (record.claim, record.claim_variant, record.claim_hash)
    key += (record.claim_registered,) if record.claim_registered else ()
    if key not in known:
        raise SondeError(
            f"{label} has a verdict on the claim {record.claim!r}, which is not among its claims.",
            fix="Export it again; the file was changed.",
        )
    columns = record.model_dump(
        exclude={"claim", "claim_variant", "claim_hash", "claim_registered"}
    )
    for name in ("boundary", "p", "p_adjusted"):
        columns[name] = number(columns[name])
    columns["post_hoc"] = int(record.post_hoc)
    insert_row(connection, verdicts, {**columns, "run_id": run, "claim_id": known[key]})


def _file(name: str, record: Any) -> UnitsFile:
    """Return a file of units as the ledger keeps it, checked against its hash."""
    if record.content is None:
        return UnitsFile("", name, record.size, None)
    try:
        content = base64.b64decode(record.content, validate=True)
    except binascii.Error:
        content = b""
    if hashlib.sha256(content).hexdigest() != name:
        raise SondeError(
            f"The scores under {name[:12]}… are not what their hash says.",
            fix="The file was changed or cut; export it again.",
        )
    return UnitsFile("", name, record.size, zlib.compress(content))
