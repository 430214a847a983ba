"""Runs as flat rows for CSV and Parquet: one row a result, with the columns of its run beside it.

A run without results has one row, whose columns of a result are empty. ``control`` and
``baseline`` are there to be read by people, who see at once where there is none; an import reads
the same numbers from ``controls`` and ``baselines``. What a flat row has no place for (the
experiment file, the files of stages, claims, verdicts, per-unit scores) is in JSON Lines.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, TypeAlias

from sonde.core.base import validated
from sonde.core.errors import SondeError, nearest
from sonde.ledger.exchange.record import ResultRecord, RunRecord, StageRecord
from sonde.ledger.records import DONE, FAILED, RESOLVED, SUPERSEDED, ResultRow
from sonde.ledger.wording import against_in_words

Kind: TypeAlias = Literal["text", "integer", "number", "json"]
Row: TypeAlias = dict[str, Any]
_FIRST_STATE = {SUPERSEDED: DONE, RESOLVED: FAILED}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a row stands: a run, and perhaps one of its results."""

    run: RunRecord
    stage: StageRecord | None = None
    result: ResultRecord | None = None
    shown: ResultRow | None = None


@dataclass(frozen=True, slots=True)
class FlatColumn:
    """A column: its name, what it holds, and where that is found."""

    name: str
    kind: Kind
    value: Callable[[_Place], Any]


def _of_run(kind: Kind, *names: str) -> list[FlatColumn]:
    def value(name: str) -> Callable[[_Place], Any]:
        return lambda place: getattr(place.run, name)

    return [FlatColumn(name, kind, value(name)) for name in names]


def _of_result(kind: Kind, *names: str) -> list[FlatColumn]:
    def value(name: str) -> Callable[[_Place], Any]:
        return lambda place: None if place.result is None else getattr(place.result, name)

    return [FlatColumn(name, kind, value(name)) for name in names]


def _of_shown(kind: Kind, column: str, value: Callable[[ResultRow], Any]) -> FlatColumn:
    def found(place: _Place) -> Any:
        return None if place.shown is None else value(place.shown)

    return FlatColumn(column, kind, found)


def _of_stage(column: str, name: str) -> FlatColumn:
    return FlatColumn(
        column, "text", lambda place: None if place.stage is None else getattr(place.stage, name)
    )


def _of_newest(column: str, name: str) -> FlatColumn:
    return FlatColumn(
        column,
        "text",
        lambda place: getattr(place.run.replaced[-1], name) if place.run.replaced else None,
    )


def _score(name: str) -> FlatColumn:
    # Not the record's number: not a number is null there, and empty here means not applicable.
    return _of_shown("number", name, lambda row: row.score and getattr(row.score, name))


COLUMNS: tuple[FlatColumn, ...] = (
    *_of_run("text", "origin", "label", "name", "variant", "purpose", "model", "question"),
    FlatColumn("state", "text", lambda place: place.run.shown),
    *_of_run("text", "reason", "started", "ended"),
    *_of_run("number", "seconds"),
    *_of_run("integer", "seed"),
    *_of_run("text", "commit_hash"),
    *_of_run("integer", "dirty"),
    *_of_run("text", "spec_path", "spec_hash", "folder"),
    *_of_run("json", "overrides", "versions", "hardware", "facts", "planned", "cost"),
    _of_newest("replaced_by", "by"),
    _of_newest("replaced_by_label", "label"),
    _of_newest("replaced_why", "why"),
    _of_stage("stage", "name"),
    _of_stage("stage_kind", "kind"),
    _of_stage("stage_key", "key"),
    _of_stage("stage_state", "state"),
    FlatColumn("result", "text", lambda place: place.result and place.result.name),
    *_of_result("text", "method", "metric"),
    _score("value"),
    _score("low"),
    _score("high"),
    *_of_result("number", "level"),
    *_of_result("integer", "n"),
    _of_shown("text", "control", lambda row: against_in_words(row.controls, "control")),
    _of_shown("text", "baseline", lambda row: against_in_words(row.baselines, "baseline")),
    *_of_result("json", "controls", "baselines"),
    _of_shown("text", "status", lambda row: row.status),
    _of_shown("text", "status_why", lambda row: row.status_why),
    _of_shown("json", "reference", lambda row: row.reference),
    *_of_result("text", "note", "not_applicable", "units", "series"),
)  # fmt: skip
NAMES = tuple(column.name for column in COLUMNS)
_FOR_PEOPLE = ("control", "baseline")
_RUN_NAMES = NAMES[: NAMES.index("replaced_by")]
_JSON_NAMES = tuple(
    column.name for column in COLUMNS if column.kind == "json" and column.name in _RUN_NAMES
)
_RESULT_NAMES = (
    "method", "metric", "value", "low", "high", "level", "n", "controls", "baselines", "note",
    "not_applicable", "units", "series",
)  # fmt: skip


def flat_rows(records: Iterable[RunRecord]) -> Iterator[tuple[Any, ...]]:
    """Return the values of every row, in the order of ``COLUMNS``; JSON is text already."""
    for record in records:
        for place in _places(record):
            yield tuple(_stored(column.value(place), column.kind) for column in COLUMNS)


def _places(record: RunRecord) -> Iterator[_Place]:
    empty = True
    for stage in record.stages:
        for result in stage.results:
            shown = result.row(stage.name, superseded=record.shown == SUPERSEDED)
            yield _Place(record, stage, result, shown)
            empty = False
    if empty:
        yield _Place(record)


def _stored(value: Any, kind: Kind) -> Any:
    if kind != "json" or value is None:
        return value
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return written.encode("utf-8", "backslashreplace").decode()


def check_names(given: Sequence[str], where: str) -> None:
    """Refuse a table that lacks a column or has one too many.

    Raises:
        SondeError: that is so; the nearest name is given.
    """
    missing = [name for name in NAMES if name not in given and name not in _FOR_PEOPLE]
    unknown = [name for name in given if name not in NAMES]
    if missing or unknown:
        wrong = f"has no column {missing[0]!r}" if missing else f"has a column {unknown[0]!r}"
        hint = nearest(missing[0], unknown) if missing else nearest(unknown[0], NAMES)
        raise SondeError(
            f"{where} {wrong}, so it is not a table that `sonde ledger export` wrote.{hint}",
            fix="An import reads what an export wrote; its columns are not to be renamed.",
        )


def records_from(rows: Iterable[tuple[str, Row]]) -> Iterator[RunRecord]:
    """Return runs from rows; each row comes with the words that name it, such as its line.

    Raises:
        SondeError: a value is not what its column holds.
    """
    seen: set[str] = set()
    for origin, group in groupby(rows, key=lambda row: str(row[1]["origin"])):
        some = list(group)
        if origin in seen:
            raise SondeError(
                f"{some[0][0]}: the rows of the run with the origin {origin} are not together.",
                fix="Sort the table by the column `origin`.",
            )
        seen.add(origin)
        yield _run(some)


def _run(rows: Sequence[tuple[str, Row]]) -> RunRecord:
    where, first = rows[0]
    run = {name: first[name] for name in _RUN_NAMES if first[name] is not None}
    run |= {name: _json(where, first, name) for name in _JSON_NAMES if name in run}
    run["state"] = _FIRST_STATE.get(str(first["state"]), first["state"])
    run["stages"] = list(_stages(rows))
    if first["replaced_by"]:
        names = {"by": "replaced_by", "label": "replaced_by_label", "why": "replaced_why"}
        run["replaced"] = [{field: first[name] or "" for field, name in names.items()}]
    return validated(RunRecord, run, where=where)


def _stages(rows: Sequence[tuple[str, Row]]) -> Iterator[dict[str, Any]]:
    there = [(where, row) for where, row in rows if row["stage"] is not None]
    for (name, key), group in groupby(
        there, key=lambda row: (row[1]["stage"], row[1]["stage_key"])
    ):
        some = list(group)
        yield {
            "name": name,
            "key": key or "",
            "kind": some[0][1]["stage_kind"] or "",
            "state": some[0][1]["stage_state"] or DONE,
            "results": [_result(where, row) for where, row in some],
        }


def _result(where: str, row: Row) -> dict[str, Any]:
    made = {name: row[name] for name in _RESULT_NAMES if row[name] is not None}
    made |= {name: _json(where, row, name) or {} for name in ("controls", "baselines")}
    made["name"] = row["result"] or ""
    if row["status"]:
        reference = _json(where, row, "reference")
        why = row["status_why"] or ""
        made["statuses"] = [{"status": row["status"], "why": why, "reference": reference}]
    return made


def _json(where: str, row: Mapping[str, Any], name: str) -> Any:
    if row[name] is None:
        return None
    try:
        return json.loads(row[name])
    except json.JSONDecodeError as error:
        raise SondeError(
            f"{where}, column {name}: {row[name][:60]!r} is not JSON: {error}.",
            fix="Change such cells in the ledger rather than in the table.",
        ) from None
