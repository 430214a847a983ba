"""Migration 3: what stages ask, claims that are put back, and numbers beyond 32 bits."""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text

from sonde.ledger.migrations.migration import Migration
from sonde.ledger.migrations.second_data import execute_each
from sonde.ledger.questions import question_of


def ask(connection: Connection) -> None:
    """Work out the question of every stage from what it was made of.

    Stages that will be written are compared with these, so the function is the one in use: should
    it ever change, another migration has to ask again.
    """
    rows = connection.execute(
        text(
            "SELECT stages.id, stages.run_id, stages.key, runs.purpose, "
            "CAST(stages.made_of AS TEXT) AS made_of FROM stages "
            "JOIN runs ON runs.id = stages.run_id ORDER BY stages.run_id, stages.id"
        )
    ).mappings()
    execute_each(
        connection, "UPDATE stages SET question = :question WHERE id = :id", _asked(map(dict, rows))
    )


def _asked(rows: Iterator[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for _, group in groupby(rows, key=lambda row: row["run_id"]):
        stages = list(group)
        contents = {row["key"]: json.loads(row["made_of"]) for row in stages}
        for row in stages:
            asked = question_of(row["key"], contents, same_rows=row["purpose"] == "smoke")
            if asked:
                yield {"id": row["id"], "question": asked}


def widen(connection: Connection) -> None:
    """Let seeds and sizes have 64 bits on PostgreSQL; SQLite's have them."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("ALTER TABLE runs ALTER COLUMN seed TYPE BIGINT"))
        connection.execute(text("ALTER TABLE unit_scores ALTER COLUMN size TYPE BIGINT"))


THIRD = Migration(
    3,
    "what stages ask, claims that are put back, large seeds",
    (
        "ALTER TABLE stages ADD COLUMN question TEXT NOT NULL DEFAULT ''",
        ask,
        "CREATE INDEX stages_by_question ON stages (question)",
        "DROP INDEX claims_by_name",
        """CREATE UNIQUE INDEX claims_by_name
            ON claims (experiment, name, variant, hash, registered)""",
        widen,
    ),
)
