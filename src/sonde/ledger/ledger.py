"""The ledger: every run, its stages and its results, in one database."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from sonde.core.errors import SondeError
from sonde.core.files import jsonable
from sonde.ledger.database import connect, reading
from sonde.ledger.processes import is_gone, this_process
from sonde.ledger.records import (
    DONE,
    INTERRUPTED,
    REUSED,
    RUNNING,
    Measured,
    ResultRow,
    RunDetail,
    RunRow,
    RunStart,
    StageEnd,
    StageStart,
)
from sonde.ledger.schema import results, runs, stages
from sonde.stats.interval import Interval

VARIABLE = "SONDE_LEDGER"
FILE = "ledger.sqlite"


def default_ledger(folder: Path) -> str:
    """Return ``$SONDE_LEDGER``, or the ledger in the folder of the results."""
    return os.environ.get(VARIABLE) or str(folder / FILE)


@dataclass(frozen=True, slots=True)
class Ledger:
    """A connection to a ledger. Every method is one transaction."""

    engine: Engine

    @classmethod
    def open(cls, where: str | Path, *, create: bool = True) -> "Ledger":
        """Open the ledger at a path or a database URL, bring its schema up to date.

        Raises:
            SondeError: it is not there and may not be created, or cannot be opened.
        """
        return cls(connect(str(where), create=create))

    def begin_run(self, start: RunStart) -> int:
        """Record that a run has begun; return its number."""
        row = {
            **_columns(start),
            "dirty": None if start.dirty is None else int(start.dirty),
            "state": RUNNING,
            "reason": "",
            "started": _now(),
            "process": this_process(),
        }
        with self.engine.begin() as connection:
            made = connection.execute(insert(runs).values(**row))
        return _number(made.inserted_primary_key)

    def end_run(self, run: int, state: str, *, reason: str = "", seconds: float = 0.0) -> None:
        """Record how a run ended."""
        change = {"state": state, "reason": reason, "ended": _now(), "seconds": seconds}
        with self.engine.begin() as connection:
            connection.execute(update(runs).where(runs.c.id == run).values(**change))

    def begin_stage(self, run: int, start: StageStart) -> int:
        """Record that a stage's turn has come; return its number."""
        row: dict[str, Any] = {
            **_columns(start),
            "run_id": run,
            "state": RUNNING,
            "reason": "",
            "started": _now(),
            "outputs": {},
            "summary": {},
        }
        with self.engine.begin() as connection:
            made = connection.execute(insert(stages).values(**row))
        return _number(made.inserted_primary_key)

    def end_stage(self, stage: int, end: StageEnd) -> None:
        """Record how a stage ended, with its results."""
        change = {
            "state": end.state,
            "reason": end.reason,
            "seconds": end.seconds,
            "outputs": dict(end.outputs),
            "summary": jsonable(dict(end.summary)),
        }
        with self.engine.begin() as connection:
            connection.execute(update(stages).where(stages.c.id == stage).values(**change))
            rows = [_result_columns(stage, result) for result in end.results]
            if rows:
                connection.execute(insert(results), rows)

    def list(
        self, *, name: str | None = None, state: str | None = None, limit: int = 50
    ) -> tuple[RunRow, ...]:
        """Return the newest runs first, perhaps only those of a name or a state."""
        query = select(runs).order_by(runs.c.id.desc())
        if name is not None:
            query = query.where(runs.c.name == name)
        if state is not None:
            kept = RUNNING if state == INTERRUPTED else state
            query = query.where(runs.c.state == kept)
        found: list[RunRow] = []
        with reading(self.engine) as connection:
            for row in connection.execute(query).mappings():
                shown = shown_state(row)
                if state is None or shown == state:
                    found.append(_run_row(row, shown))
                if len(found) == limit:
                    break
        headlines = _headlines(self.engine, [row.id for row in found])
        return tuple(replace(row, headline=headlines.get(row.id, "")) for row in found)

    def show(self, run: int) -> RunDetail:
        """Return everything about one run.

        Raises:
            SondeError: there is no such run.
        """
        with reading(self.engine) as connection:
            row = connection.execute(select(runs).where(runs.c.id == run)).mappings().first()
            if row is None:
                raise SondeError(
                    f"The ledger has no run {run}.", fix="See them with `sonde ledger list`."
                )
            query = select(stages).where(stages.c.run_id == run).order_by(stages.c.id)
            parts = connection.execute(query).mappings().all()
            state = shown_state(row)
            return RunDetail(
                {**row, "state": state},
                tuple(_shown_stage(part, state) for part in parts),
                tuple(found for part in parts for found in _results_of(connection, part)),
            )


def shown_state(run: RowMapping | Mapping[str, Any]) -> str:
    """Return a run's state; one that runs in a process that is gone was interrupted."""
    if run["state"] == RUNNING and is_gone(run["process"]):
        return INTERRUPTED
    return run["state"]


def _headlines(engine: Engine, ids: list[int]) -> dict[int, str]:
    """Return the first result of each run, in words."""
    query = (
        select(results, stages.c.name.label("stage"), stages.c.run_id)
        .join(stages)
        .where(stages.c.run_id.in_(ids))
        .order_by(results.c.id)
    )
    found: dict[int, str] = {}
    with reading(engine) as connection:
        for row in connection.execute(query).mappings():
            result = _result_row(row)
            words = f"{result.stage}: {result.metric} {result.score}"
            found.setdefault(row["run_id"], words)
    return found


def _results_of(connection: Connection, stage: RowMapping) -> list[ResultRow]:
    """Return a stage's results; a reused one has those of the stage that made them."""
    made = stage["id"]
    if stage["state"] == REUSED:
        query = select(func.max(stages.c.id)).where(
            stages.c.key == stage["key"], stages.c.state == DONE
        )
        made = connection.execute(query).scalar()
    query = (
        select(results, stages.c.name.label("stage"))
        .join(stages)
        .where(stages.c.id == made)
        .order_by(results.c.id)
    )
    return [_result_row(row) for row in connection.execute(query).mappings()]


def _shown_stage(stage: RowMapping, run_state: str) -> Mapping[str, Any]:
    interrupted = stage["state"] == RUNNING and run_state != RUNNING
    return {**stage, "state": INTERRUPTED if interrupted else stage["state"]}


def _columns(start: RunStart | StageStart) -> dict[str, Any]:
    # Not dataclasses.asdict, which copies the mappings inside and fails on read-only ones.
    row = {field: getattr(start, field) for field in type(start).__dataclass_fields__}
    return {
        name: jsonable(value) if isinstance(value, Mapping | tuple) else value
        for name, value in row.items()
    }


def _result_columns(stage: int, result: Measured) -> dict[str, Any]:
    score = result.score
    numbers: dict[str, Any] = {"value": score.value, "low": score.low, "high": score.high}
    return {
        "stage_id": stage,
        "name": result.name,
        "metric": result.metric,
        **jsonable(numbers),
        "level": score.level,
        "n": score.n,
        "control": _stored(result.control),
        "baseline": _stored(result.baseline),
        "units": result.units,
        "note": result.note,
    }


def _stored(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    fields = ("value", "low", "high", "n", "level")
    return jsonable({name: getattr(interval, name) for name in fields})


def _interval(stored: Mapping[str, Any] | None) -> Interval | None:
    if stored is None:
        return None
    value, low, high = (
        float("nan") if stored[name] is None else float(stored[name])
        for name in ("value", "low", "high")
    )
    return Interval(value, low, high, int(stored["n"]), float(stored["level"]))


def _result_row(row: RowMapping) -> ResultRow:
    score = _interval(dict(row))
    assert score is not None
    return ResultRow(
        row["stage"],
        row["name"],
        row["metric"],
        score,
        _interval(row["control"]),
        _interval(row["baseline"]),
        row["units"],
        row["note"],
    )


def _run_row(row: RowMapping, state: str) -> RunRow:
    return RunRow(
        row["id"],
        row["name"],
        row["variant"],
        state,
        row["reason"],
        row["started"],
        row["seconds"],
        "",
    )


def _number(key: Any) -> int:
    return int(key[0])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
