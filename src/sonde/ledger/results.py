"""Results as rows, and what they are beside what was known."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from sonde.core.errors import SondeError, nearest
from sonde.ledger.clock import now
from sonde.ledger.columns import Row
from sonde.ledger.intervals import against_read, against_stored, interval_read, number
from sonde.ledger.records import STATUSES, SUPERSEDED, Measured, ResultRow, Status
from sonde.ledger.rows import insert_row, rows_for
from sonde.ledger.schema import result_statuses, results
from sonde.ledger.wording import IN_WORDS, interval_in_words


def result_columns(result: Measured, units_hash: str | None) -> dict[str, Any]:
    """Return a result as a row of its table.

    Raises:
        SondeError: it has neither a score nor a reason why there is none, or both.
    """
    score = result.score
    if (score is None) == (result.not_applicable == ""):
        raise SondeError(
            f"The result {result.name} has "
            f"{'neither a score nor a reason' if score is None else 'a score and a reason'} "
            "for having none.",
            fix="Give one of `score` and `not_applicable`.",
        )
    return {
        "name": result.name,
        "method": result.method,
        "metric": result.metric,
        "value": score and number(score.value),
        "low": score and number(score.low),
        "high": score and number(score.high),
        "level": score and float(score.level),
        "n": score and int(score.n),
        "controls": against_stored(result.controls),
        "baselines": against_stored(result.baselines),
        "units": result.units,
        "units_hash": units_hash,
        "series": result.series,
        "note": result.note,
        "not_applicable": result.not_applicable,
    }


def result_row(row: Row, stage: str, status: Row | None, superseded: bool) -> ResultRow:
    """Return a row of the table as a value. A result of a superseded run is superseded."""
    given = status or {"status": "", "why": "", "reference": None}
    return ResultRow(
        id=row["id"],
        stage=stage,
        name=row["name"],
        metric=row["metric"],
        score=None if row["not_applicable"] else interval_read(row),
        method=row["method"],
        controls=against_read(row["controls"]),
        baselines=against_read(row["baselines"]),
        units=row["units"],
        units_hash=row["units_hash"] or "",
        series=row["series"],
        note=row["note"],
        not_applicable=row["not_applicable"],
        status=SUPERSEDED if superseded else given["status"],
        status_why=given["why"],
        reference=given["reference"],
    )


def headline_of(row: Row, stage: str) -> str:
    """Return a result in a few words, with what it lacks to be believed."""
    if row["metric"] == IN_WORDS:
        return str(row["not_applicable"])
    if row["not_applicable"]:
        return f"{stage}: {row['metric']} not applicable ({row['not_applicable']})"
    missing = [f", no {kind}" for kind in ("control", "baseline") if not row[f"{kind}s"]]
    return f"{stage}: {row['metric']} {interval_in_words(interval_read(row))}{''.join(missing)}"


def insert_statuses(
    connection: Connection, run: int, found: Sequence[ResultRow], statuses: Iterable[Status]
) -> None:
    """Add what a run says of its results, ``found`` among those that it shows.

    Raises:
        SondeError: a result is none of the run's, or a status does not exist.
    """
    ids = {(result.stage, result.name): result.id for result in found}
    for one in statuses:
        key = (one.stage, one.result)
        if key not in ids:
            known = [f"{stage}.{name}" for stage, name in ids]
            raise SondeError(
                f"Run {run} has no result {one.stage}.{one.result}."
                f"{nearest(f'{one.stage}.{one.result}', known)}",
                fix=f"Its results are {', '.join(known) or 'none'}.",
            )
        insert_status(connection, ids[key], one, run)


def insert_status(connection: Connection, result: int, status: Status, run: int | None) -> None:
    """Add what a result is; ``run`` is None where it holds for every run that shows it.

    Raises:
        SondeError: the status does not exist.
    """
    if status.status not in STATUSES:
        raise SondeError(
            f"{status.status!r} is not a status of a result.{nearest(status.status, STATUSES)}",
            fix=f"Statuses are {', '.join(STATUSES)}.",
        )
    row = {
        "result_id": result,
        "run_id": run,
        "status": status.status,
        "why": status.why,
        "reference": status.reference,
        "recorded": now(),
    }
    insert_row(connection, result_statuses, row)


def statuses_of(connection: Connection, ids: Sequence[int]) -> dict[int, list[RowMapping]]:
    """Return every status that was recorded of each result, oldest first."""
    found: dict[int, list[RowMapping]] = {}
    query = select(result_statuses).order_by(result_statuses.c.id)
    for row in rows_for(connection, query, result_statuses.c.result_id, ids):
        found.setdefault(row["result_id"], []).append(row)
    return found


def status_for(run: int, recorded: Sequence[RowMapping]) -> RowMapping | None:
    """Return the newest status that a run or a person gave a result.

    A run that said nothing of a result that an earlier one had made shows what that one said.
    """
    own = [row for row in recorded if row["run_id"] in (run, None)]
    return (own or list(recorded) or [None])[-1]


def known_result(connection: Connection, result: int) -> RowMapping:
    """Return a result's row.

    Raises:
        SondeError: there is no such result.
    """
    row = connection.execute(select(results).where(results.c.id == result)).mappings().first()
    if row is None:
        raise SondeError(
            f"The ledger has no result {result}.",
            fix="`sonde ledger show RUN` lists the results of a run.",
        )
    return row


def series_of(result: Row, part: str) -> tuple[str, ...]:
    """Return the names of the series of a result, or of a control or baseline of it.

    Raises:
        SondeError: there is no such part, or it has no scores of single units.
    """
    parts = {**against_read(result["baselines"]), **against_read(result["controls"])}
    if part and part not in parts:
        raise SondeError(
            f"The result {result['name']} has no control or baseline {part!r}.",
            fix=f"It has {', '.join(parts) or 'none'}.",
        )
    if result["not_applicable"]:
        raise SondeError(
            f"The result {result['name']} is not applicable: {result['not_applicable']}."
        )
    own = (str(result["series"]),) if result["series"] else ()
    series = parts[part].series if part else own
    if not series or not result["units_hash"]:
        raise SondeError(
            f"The ledger has no scores of single units for "
            f"{result['name']}{f'/{part}' if part else ''}.",
            fix="Run its stage again with this version of sonde; `--force STAGE` redoes it.",
        )
    return series
