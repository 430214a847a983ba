"""Reading runs out of a ledger as records, page by page, so that memory does not grow with it."""

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from sonde.ledger.rows import rows_for
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
        links = rows_for(connection, select(supersessions), supersessions.c.old_run, edge)
        edge = {row["new_run"] for row in links} - found
        found |= edge
    return tuple(sorted(found))


def collected(connection: Connection, ids: Sequence[int], *, units: bool) -> Iterator[RunRecord]:
    """Return runs as records in the order of ``ids``; ``units`` brings the scores of their units.

    A file of units that was too large for the ledger is not in an export either: its hash is.
    """
    onlooker = Onlooker()
    for begin in range(0, len(ids), PAGE):
        some = ids[begin : begin + PAGE]
        page = _read(connection, some, units)
        yield from (_record(page, number, onlooker) for number in some)


def _matching(connection: Connection, wanted: RunFilter) -> Iterator[int]:
    offset = 0
    while True:
        page = Page("id", reverse=True, limit=LISTED, offset=offset)
        found = list_runs(connection, wanted, page)
        yield from (run.id for run in found)
        if len(found) < LISTED:
            return
        offset += LISTED


@dataclass(frozen=True, slots=True)
class _Page:
    """The rows of some runs, by what they belong to."""

    runs: dict[int, Row]
    stages: dict[int, list[Row]]  # by run
    makers: dict[int, int]  # of results, by stage
    results: dict[int, list[Row]]  # by the stage that made them
    statuses: dict[int, list[Row]]  # by result
    claims: dict[str, tuple[ClaimRecord, ...]]  # by experiment
    verdicts: dict[int, list[Row]]  # by run
    replaced: dict[int, tuple[ReplacedRecord, ...]]  # by the run that is replaced
    units: dict[str, UnitsRecord]  # by hash


def _read(connection: Connection, ids: Sequence[int], units: bool) -> _Page:
    whole = select(runs, *(column for column in run_details.c if column.name != "run_id")).join(
        run_details, run_details.c.run_id == runs.c.id
    )
    found = {row["id"]: row for row in rows_for(connection, whole, runs.c.id, ids)}
    parts = _grouped(connection, select(stages), stages.c.run_id, ids)
    makers = {row["id"]: maker_of(connection, row) for some in parts.values() for row in some}
    made = _grouped(connection, select(results), results.c.stage_id, list(makers.values()))
    rows = [row for some in made.values() for row in some]
    return _Page(
        found,
        parts,
        makers,
        made,
        cast("dict[int, list[Row]]", statuses_of(connection, [row["id"] for row in rows])),
        _claims(connection, sorted({row["name"] for row in found.values()})),
        _grouped(connection, _JUDGED, verdicts.c.run_id, ids),
        _replaced(connection, ids),
        _units(connection, [row["units_hash"] for row in rows if row["units_hash"]], units),
    )


def _record(page: _Page, number: int, onlooker: Onlooker) -> RunRecord:
    row = page.runs[number]
    made = tuple(_stage(page, row, part, onlooker) for part in page.stages.get(number, []))
    hashes = (one.units_hash for stage in made for one in stage.results if one.units_hash)
    return RunRecord.model_validate(
        {
            **_shared(RunRecord, row),
            "origin": origin_of(row),
            "label": label_of(row),
            "facts": {name: value for name, value in row["facts"].items() if name != RUN_ID},
            "state": shown_state(row, replaced=False, onlooker=onlooker),
            "stages": made,
            "claims": page.claims.get(row["name"], ()),
            "verdicts": tuple(map(_verdict, page.verdicts.get(number, []))),
            "replaced": page.replaced.get(number, ()),
            "units": {name: page.units[name] for name in dict.fromkeys(hashes)},
        }
    )


def _stage(page: _Page, run: Row, part: Row, onlooker: Onlooker) -> StageRecord:
    state = part["state"]
    if state == RUNNING:
        runs_on = shown_state(run, replaced=False, onlooker=onlooker) == RUNNING
        state = RUNNING if runs_on else INTERRUPTED
    made = tuple(
        ResultRecord.model_validate(
            {
                **_shared(ResultRecord, row),
                "statuses": _statuses(run["id"], page.statuses.get(row["id"], [])),
            }
        )
        for row in page.results.get(page.makers[part["id"]], [])
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
    claims.c.registered.label("claim_registered"),
).join(claims, claims.c.id == verdicts.c.claim_id)


def _verdict(row: Row) -> VerdictRecord:
    return VerdictRecord.model_validate(_shared(VerdictRecord, row))


def _claims(
    connection: Connection, experiments: Sequence[str]
) -> dict[str, tuple[ClaimRecord, ...]]:
    """Return the registered claims of experiments, in the order of their registration."""
    rows = _grouped(connection, select(claims), claims.c.experiment, experiments)
    found: dict[str, tuple[ClaimRecord, ...]] = {}
    for experiment, some in rows.items():
        hashes = {row["id"]: row["hash"] for row in some}
        found[experiment] = tuple(
            ClaimRecord.model_validate(
                {**_shared(ClaimRecord, row), "replaces": hashes.get(row["replaces"])}
            )
            for row in some
        )
    return found


def _replaced(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[ReplacedRecord, ...]]:
    """Return what superseded or resolved runs, oldest first."""
    query = (
        select(supersessions.c.old_run, supersessions.c.why, supersessions.c.recorded, runs)
        .add_columns(run_details.c.facts)
        .join(runs, runs.c.id == supersessions.c.new_run)
        .join(run_details, run_details.c.run_id == runs.c.id)
    )
    found: dict[int, tuple[ReplacedRecord, ...]] = {}
    for old, rows in _grouped(connection, query, supersessions.c.old_run, ids).items():
        found[old] = tuple(
            ReplacedRecord(
                by=origin_of(row), label=label_of(row), why=row["why"], recorded=row["recorded"]
            )
            for row in rows
        )
    return found


def _units(connection: Connection, hashes: Sequence[str], content: bool) -> dict[str, UnitsRecord]:
    columns = unit_scores.c if content else (unit_scores.c.hash, unit_scores.c.size)
    return {
        row["hash"]: UnitsRecord(
            size=row["size"], content=_base64(row["content"]) if content else None
        )
        for row in rows_for(connection, select(*columns), unit_scores.c.hash, hashes)
    }


def _base64(compressed: bytes | None) -> str | None:
    return None if compressed is None else base64.b64encode(zlib.decompress(compressed)).decode()


def _shared(kind: type[AnyRecord], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a row that a record has too."""
    return {name: row[name] for name in kind.model_fields if name in row}


def _grouped(
    connection: Connection, query: Select[Any], column: Column[Any], values: Sequence[Any]
) -> dict[Any, list[Row]]:
    """Return rows by the value of a column, each in the order of their numbers."""
    found: dict[Any, list[Row]] = {}
    ordered = query.order_by(cast("Any", column.table).c.id)
    for row in rows_for(connection, ordered, column, values):
        found.setdefault(row[column.name], []).append(row)
    return found
