"""Writing stages: their beginning, and their end with its results."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select, update

from sonde.core.errors import SondeError
from sonde.ledger.clock import now
from sonde.ledger.columns import Row
from sonde.ledger.lineage import Content
from sonde.ledger.questions import question_of
from sonde.ledger.records import DONE, REUSED, RUNNING, SMOKE, StageEnd, StageStart
from sonde.ledger.results import result_columns
from sonde.ledger.rows import insert_row, rows_for
from sonde.ledger.runs import add_text, known_run
from sonde.ledger.schema import results, runs, stages
from sonde.ledger.unit_scores import UnitsFile, keep_units


def begin_stage(connection: Connection, run: int, start: StageStart) -> int:
    """Insert a stage whose turn has come; return its number.

    Raises:
        SondeError: there is no such run.
    """
    purpose = known_run(connection, run)["purpose"]
    given = {name: getattr(start, name) for name in type(start).__dataclass_fields__}
    begun = {"run_id": run, "state": RUNNING, "reason": "", "started": now()}
    begun["question"] = _question(connection, run, start, purpose)
    begun |= {"outputs": {}, "summary": {}, "cost": {}}
    return insert_row(connection, stages, {**given, **begun})


def _question(connection: Connection, run: int, start: StageStart, purpose: str) -> str:
    """Return what a stage asks, whose inputs the run has recorded before it."""
    if not start.made_of:
        return ""
    contents = {**contents_of(connection, run), start.key: start.made_of}
    return question_of(start.key, contents, same_rows=purpose == SMOKE)


def contents_of(connection: Connection, run: int) -> dict[str, Content]:
    """Return what the stages of a run were made of, by key."""
    query = select(stages.c.key, stages.c.made_of).where(stages.c.run_id == run)
    return {row.key: row.made_of for row in connection.execute(query)}


def known_stage(connection: Connection, stage: int) -> RowMapping:
    """Return a stage's row.

    Raises:
        SondeError: there is no such stage.
    """
    row = connection.execute(select(stages).where(stages.c.id == stage)).mappings().first()
    if row is None:
        raise SondeError(f"The ledger has no stage {stage}.")
    return row


def end_stage(
    connection: Connection, stage: int, end: StageEnd, files: Sequence[UnitsFile]
) -> None:
    """Note how a stage ended, with its results and the files of their units.

    Raises:
        SondeError: there is no such stage, or a result has neither a score nor a reason.
    """
    change = {
        "state": end.state,
        "reason": end.reason,
        "seconds": end.seconds,
        "outputs": end.outputs,
        "summary": end.summary,
        "cost": end.cost,
    }
    connection.execute(update(stages).where(stages.c.id == stage).values(**change))
    keep_units(connection, files)
    hashes = {file.name: file.hash for file in files}
    rows = [result_columns(one, hashes.get(one.units)) for one in end.results]
    insert_results(connection, known_stage(connection, stage), rows)


def insert_results(
    connection: Connection, stage: Row, rows: Sequence[Mapping[str, Any]]
) -> tuple[int, ...]:
    """Insert results of a stage's row with the columns of ``results``; return their numbers.

    The run is then found by the words of the stage and of these results, and listed with the first
    that has a score.
    """
    numbers = [insert_row(connection, results, {**row, "stage_id": stage["id"]}) for row in rows]
    if rows or stage["state"] == REUSED:
        _set_headline(connection, stage)
    words = [row[name] for row in rows for name in ("note", "not_applicable")]
    add_text(connection, stage["run_id"], stage["reason"], *words)
    return tuple(numbers)


def maker_of(connection: Connection, stage: Row) -> int:
    """Return the number of the stage that has a stage's results: itself, if it was not reused.

    A reused stage has its results itself, too, where the ledger does not know the one that made
    them: it was recorded in another ledger, or killed before it could be.
    """
    if stage["state"] != REUSED:
        return stage["id"]
    return _made_before(connection, stage) or stage["id"]


def is_known(connection: Connection, stage: int) -> bool:
    """Whether the ledger has the results of a stage already, under the same key."""
    return _made_before(connection, known_stage(connection, stage)) is not None


def runs_with_results(
    connection: Connection, keys: Collection[str], questions: Collection[str]
) -> tuple[int, ...]:
    """Return the runs in which a stage is finished under a key, or answers a question."""
    found: set[int] = set()
    ended = select(stages.c.run_id).where(stages.c.state.in_((DONE, REUSED)))
    for column, wanted in ((stages.c.key, keys), (stages.c.question, questions)):
        some = [one for one in wanted if one]  # a stage that was skipped has no key
        found |= {row["run_id"] for row in rows_for(connection, ended, column, some)}
    return tuple(sorted(found))


def _made_before(connection: Connection, stage: Row) -> int | None:
    made = (
        select(stages.c.id)
        .where(stages.c.key == stage["key"], stages.c.state == DONE, stages.c.id < stage["id"])
        .order_by(stages.c.id.desc())
        .limit(1)
    )
    return connection.execute(made).scalar()


def _set_headline(connection: Connection, stage: Row) -> None:
    """Let the run be listed with its first result that has a score, or else with its first."""
    columns = (results.c.id, results.c.value, results.c.not_applicable)
    found = connection.execute(
        select(*columns)
        .where(results.c.stage_id == maker_of(connection, stage))
        .order_by(results.c.not_applicable != "", results.c.id)
        .limit(1)
    ).first()
    if found is None:
        return
    run = runs.c.id == stage["run_id"]
    current = select(runs.c.headline).where(run).scalar_subquery()
    before = connection.execute(select(*columns).where(results.c.id == current)).first()
    if before is None or (before.not_applicable and not found.not_applicable):
        connection.execute(update(runs).where(run).values(headline=found.id, value=found.value))
