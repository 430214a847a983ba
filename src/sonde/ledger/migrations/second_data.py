"""The part of migration 2 that statements cannot say: JSON is taken apart and put together."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from sqlalchemy import Connection, text

ROWS = 1000  # at once
METHODS = ("logistic", "ridge", "mean_difference")  # what metrics of schema 1 begin with
TABLES = ("runs", "stages", "results")


def move_results(connection: Connection) -> None:
    """Copy results; the control and the baseline get names, the metric loses the method's."""
    old = connection.execute(
        text(
            "SELECT id, stage_id, name, metric, value, low, high, level, n, units, note, "
            "CAST(control AS TEXT) AS control, CAST(baseline AS TEXT) AS baseline FROM results_1"
        )
    ).mappings()
    execute_each(
        connection,
        "INSERT INTO results (id, stage_id, name, method, metric, value, low, high, level, n, "
        "controls, baselines, units, series, note, not_applicable) VALUES (:id, :stage_id, :name, "
        ":method, :metric, :value, :low, :high, :level, :n, :controls, :baselines, :units, '', "
        ":note, '')",
        (_moved(dict(row)) for row in old),
    )


def _moved(row: dict[str, Any]) -> dict[str, Any]:
    method, space, metric = row["metric"].partition(" ")
    if not space or method not in METHODS:
        method, metric = "", row["metric"]
    return {
        **{name: row[name] for name in row if name not in ("control", "baseline")},
        "method": method,
        "metric": metric,
        "controls": _named("shuffled labels", row["control"]),
        "baselines": _named("bag of tokens", row["baseline"]),
    }


def _named(name: str, stored: str | None) -> str:
    score = json.loads(stored or "null")  # an absent one is null, or the JSON value null
    return json.dumps({} if score is None else {name: {**score, "series": []}})


def name_models(connection: Connection) -> None:
    """Take the name of each run's model from its settings."""
    stored = connection.execute(
        text("SELECT run_id AS id, CAST(resolved AS TEXT) AS resolved FROM run_details")
    ).mappings()
    models = ({"id": row["id"], "model": _model_in(row["resolved"])} for row in stored)
    execute_each(
        connection,
        "UPDATE runs SET model = :model WHERE id = :id",
        (row for row in models if row["model"]),
    )


def _model_in(resolved: str) -> str:
    settings: dict[str, Any] = json.loads(resolved)
    model: dict[str, Any] | None = settings.get("model")
    return str(model["name"]) if model else ""


def write_texts(connection: Connection) -> None:
    """Gather each run's question, reasons and notes for the search of free text."""
    parts: dict[int, list[str]] = {
        row.id: [row.question, row.reason]
        for row in connection.execute(text("SELECT id, question, reason FROM runs"))
    }
    for query in (
        "SELECT run_id, reason AS words FROM stages WHERE reason <> '' ORDER BY id",
        "SELECT stages.run_id, results.note AS words FROM results "
        "JOIN stages ON stages.id = results.stage_id WHERE note <> '' ORDER BY results.id",
    ):
        for row in connection.execute(text(query)):
            parts[row.run_id].append(row.words)
    execute_each(
        connection,
        "INSERT INTO run_texts (run_id, text) VALUES (:id, :text)",
        (
            {"id": run, "text": "\n".join(filter(None, words)).casefold()}
            for run, words in parts.items()
        ),
    )


def number_on(connection: Connection) -> None:
    """Let PostgreSQL number new rows after those that were copied; SQLite does so by itself."""
    if connection.dialect.name == "sqlite":
        return
    for table in TABLES:
        largest = connection.execute(text(f"SELECT max(id) FROM {table}")).scalar()  # noqa: S608
        if largest is not None:
            connection.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), :largest)"),
                {"largest": largest},
            )


def execute_each(connection: Connection, statement: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Execute a statement with each of some rows, a thousand at a time."""
    for some in _in_parts(iter(rows)):
        connection.execute(text(statement), some)


def _in_parts(rows: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    while some := list(islice(rows, ROWS)):
        yield some
