"""Reading runs out of a ledger as records, page by page, so that memory does not grow with it."""

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

from sqlalchemy import Column, Connection, Select, select

from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.ledger.exchange.origins import RUN_ID, label_of, origin_of
from sonde.ledger.exchange.record import (
    ClaimRecord,
    ReplacedRecord,
    ResultRecord,
    RunRecord,
    StageRecord,
    StatusRecord,
    UnitsRecord,
    VerdictRecord,
)
from sonde.ledger.listing import Page, list_runs
from sonde.ledger.processes import Onlooker
from sonde.ledger.records import INTERRUPTED, RUNNING, RunFilter
from sonde.ledger.results import status_for, statuses_of
from sonde.ledger.schema import (
    claims,
    results,
    run_details,
    runs,
    stages,
    supersessions,
    unit_scores,
    verdicts,
)
from sonde.ledger.stages import maker_of
from sonde.ledger.states import shown_state

PAGE = 200  # runs
LISTED = 2000  # runs, of which only the numbers are kept

Row: TypeAlias = Any  # of a query: to a type checker a RowMapping is no Mapping[str, Any]
AnyRecord = TypeVar("AnyRecord", bound=Config)


def chosen(connection: Connection, wanted: RunFilter, only: Sequence[int] = ()) -> tuple[int, ...]:
    """Return the numbers of the runs to export, in order.

    A run that was superseded or resolved brings along the run that did it: without that one, a
    wrong result would look like a right one elsewhere.

    Raises:
        SondeError: one of ``only`` is not there.
    """
    found = set(_matching(connection, wanted))
    if only:
        missing = sorted(set(only) - found)
        if missing:
            raise SondeError(
                f"No run {missing[0]} matches.",
                fix="`sonde ledger list` shows the runs; leave out the filters to see all.",
            )
        found = set(only)
    edge = found
    while edge:
        replaced = select(supersessions.c.new_run)
        edge = set(_in_pages(connection, replaced, supersessions.c.old_run, sorted(edge))) - found
        found |= edge
    return tuple(sorted(found))


def collected(connection: Connection, ids: Sequence[int], *, units: bool) -> Iterator[RunRecord]:
    """Return runs as records in the order of ``ids``; ``units`` brings the scores of their units.

    Raises:
        SondeError: scores are wanted that the ledger does not hold.
    """
    onlooker = Onlooker()
    for begin in range(0, len(ids), PAGE):
        yield from _page(connection, ids[begin : begin + PAGE], onlooker, units)


def _matching(connection: Connection, wanted: RunFilter) -> Iterator[int]:
    offset = 0
    while True:
        page = Page("id", reverse=True, limit=LISTED, offset=offset)
        found = list_runs(connection, wanted, page)
        yield from (run.id for run in found)
        if len(found) < LISTED:
            return
        offset += LISTED


def _in_pages(
    connection: Connection, query: Select[Any], column: Column[Any], values: Sequence[int]
) -> Iterator[Any]:
    """Ask for many values, of which a database takes only so many at once."""
    for begin in range(0, len(values), LISTED):
        some = query.where(column.in_(values[begin : begin + LISTED]))
        yield from connection.execute(some).scalars()


def _page(
    connection: Connection, ids: Sequence[int], onlooker: Onlooker, units: bool
) -> Iterator[RunRecord]:
    whole = select(runs, *(column for column in run_details.c if column.name != "run_id")).join(
        run_details, run_details.c.run_id == runs.c.id
    )
    found = {row["id"]: row for row in _rows(connection, whole.where(runs.c.id.in_(ids)))}
    parts = _grouped(connection, select(stages), stages.c.run_id, ids)
    claimed = _claims(connection, sorted({row["name"] for row in found.values()}))
    judged = _grouped(connection, _JUDGED, verdicts.c.run_id, ids)
    replaced = _replaced(connection, ids)
    for number in ids:
        row = found[number]
        made = tuple(_stage(connection, row, part, onlooker) for part in parts.get(number, []))
        facts = {name: value for name, value in row["facts"].items() if name != RUN_ID}
        yield RunRecord.model_validate(
            {
                **_shared(RunRecord, row),
                "origin": origin_of(row),
                "label": label_of(row),
                "facts": facts,
                "state": shown_state(row, replaced=False, onlooker=onlooker),
                "stages": made,
                "claims": claimed.get(row["name"], ()),
                "verdicts": tuple(_verdict(one) for one in judged.get(number, [])),
                "replaced": replaced.get(number, ()),
                "units": _units(connection, made, content=units),
            }
        )


def _stage(connection: Connection, run: Row, part: Row, onlooker: Onlooker) -> StageRecord:
    maker = maker_of(connection, part)
    query = select(results).where(results.c.stage_id == maker).order_by(results.c.id)
    rows = _rows(connection, query)
    statuses = statuses_of(connection, [row["id"] for row in rows])
    state = part["state"]
    if state == RUNNING:
        runs_on = shown_state(run, replaced=False, onlooker=onlooker) == RUNNING
        state = RUNNING if runs_on else INTERRUPTED
    made = tuple(
        ResultRecord.model_validate(
            {
                **_shared(ResultRecord, row),
                "statuses": _statuses(run["id"], statuses.get(row["id"], [])),
            }
        )
        for row in rows
    )
    return StageRecord.model_validate(
        {**_shared(StageRecord, part), "state": state, "results": made}
    )


def _statuses(run: int, recorded: Sequence[Row]) -> tuple[StatusRecord, ...]:
    """Return what this run or a person said, or else what the run shows of an earlier one."""
    own = [row for row in recorded if row["run_id"] in (run, None)]
    shown = status_for(run, recorded)
    return tuple(
        StatusRecord.model_validate(
            {**_shared(StatusRecord, row), "by_hand": row["run_id"] is None}
        )
        for row in own or ([shown] if shown else [])
    )


_JUDGED = select(
    verdicts,
    claims.c.name.label("claim"),
    claims.c.variant.label("claim_variant"),
    claims.c.hash.label("claim_hash"),
).join(claims, claims.c.id == verdicts.c.claim_id)


def _verdict(row: Row) -> VerdictRecord:
    return VerdictRecord.model_validate(_shared(VerdictRecord, row))


def _claims(connection: Connection, experiments: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return the registered claims of experiments, in the order of their registration."""
    query = select(claims).where(claims.c.experiment.in_(experiments)).order_by(claims.c.id)
    rows = _rows(connection, query)
    hashes = {row["id"]: row["hash"] for row in rows}
    found: dict[str, tuple[ClaimRecord, ...]] = {}
    for row in rows:
        one = ClaimRecord.model_validate(
            {**_shared(ClaimRecord, row), "replaces": hashes.get(row["replaces"])}
        )
        found[one.experiment] = (*found.get(one.experiment, ()), one)
    return found


def _replaced(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[ReplacedRecord, ...]]:
    """Return what superseded or resolved runs, oldest first."""
    query = (
        select(supersessions.c.old_run, supersessions.c.why, supersessions.c.recorded, runs)
        .add_columns(run_details.c.facts)
        .join(runs, runs.c.id == supersessions.c.new_run)
        .join(run_details, run_details.c.run_id == runs.c.id)
        .where(supersessions.c.old_run.in_(ids))
        .order_by(supersessions.c.id)
    )
    found: dict[int, tuple[ReplacedRecord, ...]] = {}
    for row in _rows(connection, query):
        one = ReplacedRecord(
            by=origin_of(row), label=label_of(row), why=row["why"], recorded=row["recorded"]
        )
        found[row["old_run"]] = (*found.get(row["old_run"], ()), one)
    return found


def _units(
    connection: Connection, made: Sequence[StageRecord], *, content: bool
) -> dict[str, UnitsRecord]:
    hashes = [one.units_hash for stage in made for one in stage.results if one.units_hash]
    columns = unit_scores.c if content else (unit_scores.c.hash, unit_scores.c.size)
    query = select(*columns).where(unit_scores.c.hash.in_(set(hashes)))
    found = {row["hash"]: row for row in _rows(connection, query)}
    return {
        one: UnitsRecord(
            size=found[one]["size"],
            content=_base64(found[one]["content"]) if content else None,
        )
        for one in dict.fromkeys(hashes)
    }


def _base64(compressed: bytes | None) -> str | None:
    # A file that was too large for the ledger is not in an export either: its hash is.
    return None if compressed is None else base64.b64encode(zlib.decompress(compressed)).decode()


def _shared(kind: type[AnyRecord], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a row that a record has too."""
    return {name: row[name] for name in kind.model_fields if name in row}


def _grouped(
    connection: Connection, query: Select[Any], column: Column[Any], values: Sequence[int]
) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    table = cast("Any", column.table)
    for row in _rows(connection, query.where(column.in_(values)).order_by(table.c.id)):
        found.setdefault(row[column.name], []).append(row)
    return found


def _rows(connection: Connection, query: Select[Any]) -> Sequence[Row]:
    return connection.execute(query).mappings().all()
