"""Migration 1: runs, stages and results."""

from sonde.ledger.migrations.migration import Migration

FIRST = Migration(
    1,
    "runs, stages and results",
    (
        """CREATE TABLE runs (
            id {id}, name TEXT NOT NULL, variant TEXT NOT NULL, question TEXT NOT NULL,
            state TEXT NOT NULL, reason TEXT NOT NULL, started TEXT NOT NULL, ended TEXT,
            seconds FLOAT, seed INTEGER NOT NULL, spec_path TEXT NOT NULL,
            spec_text TEXT NOT NULL, overrides JSON NOT NULL, resolved JSON NOT NULL,
            spec_hash TEXT NOT NULL, folder TEXT NOT NULL, commit_hash TEXT, dirty INTEGER,
            versions JSON NOT NULL, hardware JSON NOT NULL, process JSON NOT NULL)""",
        """CREATE TABLE stages (
            id {id}, run_id INTEGER NOT NULL REFERENCES runs (id), name TEXT NOT NULL,
            kind TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
            started TEXT NOT NULL, seconds FLOAT, made_of JSON NOT NULL, outputs JSON NOT NULL,
            summary JSON NOT NULL, folder TEXT NOT NULL)""",
        """CREATE TABLE results (
            id {id}, stage_id INTEGER NOT NULL REFERENCES stages (id), name TEXT NOT NULL,
            metric TEXT NOT NULL, value FLOAT, low FLOAT, high FLOAT, level FLOAT NOT NULL,
            n INTEGER NOT NULL, control JSON, baseline JSON, units TEXT NOT NULL,
            note TEXT NOT NULL)""",
        "CREATE INDEX runs_by_name ON runs (name, state)",
        "CREATE INDEX stages_by_run ON stages (run_id)",
        "CREATE INDEX stages_by_key ON stages (key)",
        "CREATE INDEX results_by_stage ON results (stage_id)",
    ),
)
