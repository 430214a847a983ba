"""Everything the ledger knows of some runs, in as many queries as for one."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from sonde.core.errors import SondeError
from sonde.ledger.claims import registrations, verdicts_where
from sonde.ledger.processes import Onlooker
from sonde.ledger.records import INTERRUPTED, RUNNING, ResultRow, RunDetail
from sonde.ledger.results import result_row, status_for, statuses_of
from sonde.ledger.rows import rows_for
from sonde.ledger.schema import results, run_details, runs, stages
from sonde.ledger.stages import maker_of
from sonde.ledger.states import shown_state
from sonde.ledger.supersession import replaced_by, supersessions_of

Rows = list[RowMapping]


def details_of(connection: Connection, ids: Sequence[int]) -> tuple[RunDetail, ...]:
    """Return everything about runs, in the order of their numbers.

    Raises:
        SondeError: there is no such run.
    """
    query = select(runs, *(column for column in run_details.c if column.name != "run_id")).join(
        run_details, run_details.c.run_id == runs.c.id
    )
    found = {row["id"]: row for row in rows_for(connection, query, runs.c.id, ids)}
    for number in ids:
        if number not in found:
            raise SondeError(
                f"The ledger has no run {number}.", fix="See them with `sonde ledger list`."
            )
    parts = _grouped(connection, stages, "run_id", ids)
    replaced, onlooker = replaced_by(connection, ids), Onlooker()
    return tuple(
        _detail(connection, found[number], parts.get(number, []), replaced.get(number), onlooker)
        for number in ids
    )


def results_of(connection: Connection, run: int) -> tuple[ResultRow, ...]:
    """Return the results that a run shows: its own, and those of the stages that it reused."""
    parts = _grouped(connection, stages, "run_id", [run]).get(run, [])
    return _results(connection, run, parts, run in replaced_by(connection, [run]))


def _detail(
    connection: Connection, row: RowMapping, parts: Rows, replaced: int | None, onlooker: Onlooker
) -> RunDetail:
    state = shown_state(row, replaced is not None, onlooker)
    run = row["id"]
    return RunDetail(
        run={**row, "state": state, "replaced_by": replaced},
        stages=tuple(_shown_stage(part, row, onlooker) for part in parts),
        results=_results(connection, run, parts, replaced is not None),
        claims=registrations(connection, row["name"]),
        verdicts=verdicts_where(connection, run=run),
        supersessions=supersessions_of(connection, run),
    )


def _results(
    connection: Connection, run: int, parts: Rows, superseded: bool
) -> tuple[ResultRow, ...]:
    makers = {part["id"]: maker_of(connection, part) for part in parts}
    rows = _grouped(connection, results, "stage_id", list(makers.values()))
    statuses = statuses_of(connection, [row["id"] for some in rows.values() for row in some])
    return tuple(
        result_row(row, part["name"], status_for(run, statuses.get(row["id"], [])), superseded)
        for part in parts
        for row in rows.get(makers[part["id"]], [])
    )


def _grouped(
    connection: Connection, table: Table, column: str, values: Sequence[int]
) -> dict[int, Rows]:
    """Return a table's rows by the value of a column, each in the order of their numbers."""
    found: dict[int, Rows] = {}
    query = select(table).order_by(table.c.id)
    for row in rows_for(connection, query, table.c[column], values):
        found.setdefault(row[column], []).append(row)
    return found


def _shown_stage(stage: RowMapping, run: RowMapping, onlooker: Onlooker) -> Mapping[str, Any]:
    state = stage["state"]
    if state == RUNNING and (run["state"] != RUNNING or onlooker.sees_gone(run)):
        state = INTERRUPTED
    return {**stage, "state": state}
