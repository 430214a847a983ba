"""Migration 2: evidence. Purposes, heartbeats, named controls, scores of units, claims, costs.

The tables of migration 1 are set aside, made anew and filled, because SQLite before 3.35 cannot
drop a column.
"""

from sonde.ledger.migrations.migration import Migration
from sonde.ledger.migrations.second_data import move_results, name_models, number_on, write_texts

_SET_ASIDE = (
    "DROP INDEX runs_by_name",
    "DROP INDEX stages_by_run",
    "DROP INDEX stages_by_key",
    "DROP INDEX results_by_stage",
    "ALTER TABLE results RENAME TO results_1",
    "ALTER TABLE stages RENAME TO stages_1",
    "ALTER TABLE runs RENAME TO runs_1",
)

_RUNS = (
    """CREATE TABLE runs (
        id {id}, name TEXT NOT NULL, variant TEXT NOT NULL, purpose TEXT NOT NULL,
        model TEXT NOT NULL, state TEXT NOT NULL, started TEXT NOT NULL, beat TEXT, ended TEXT,
        seconds FLOAT, headline INTEGER, value FLOAT, seed INTEGER NOT NULL,
        spec_hash TEXT NOT NULL, folder TEXT NOT NULL, commit_hash TEXT, dirty INTEGER,
        process JSON NOT NULL, question TEXT NOT NULL, reason TEXT NOT NULL, origin TEXT)""",
    """CREATE TABLE run_details (
        run_id INTEGER NOT NULL PRIMARY KEY REFERENCES runs (id), spec_path TEXT NOT NULL,
        spec_text TEXT NOT NULL, overrides JSON NOT NULL, resolved JSON NOT NULL,
        versions JSON NOT NULL, hardware JSON NOT NULL, facts JSON NOT NULL,
        planned JSON NOT NULL, cost JSON NOT NULL)""",
    """CREATE TABLE run_texts (
        run_id INTEGER NOT NULL PRIMARY KEY REFERENCES runs (id), text TEXT NOT NULL)""",
    """CREATE TABLE stages (
        id {id}, run_id INTEGER NOT NULL REFERENCES runs (id), name TEXT NOT NULL,
        kind TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
        started TEXT NOT NULL, seconds FLOAT, made_of JSON NOT NULL, outputs JSON NOT NULL,
        summary JSON NOT NULL, folder TEXT NOT NULL, planned JSON NOT NULL,
        cost JSON NOT NULL)""",
)

_RESULTS = (
    """CREATE TABLE unit_scores (
        hash TEXT NOT NULL PRIMARY KEY, size INTEGER NOT NULL, content {bytes})""",
    """CREATE TABLE results (
        id {id}, stage_id INTEGER NOT NULL REFERENCES stages (id), name TEXT NOT NULL,
        method TEXT NOT NULL, metric TEXT NOT NULL, value FLOAT, low FLOAT, high FLOAT,
        level FLOAT, n INTEGER, controls JSON NOT NULL, baselines JSON NOT NULL,
        units TEXT NOT NULL, units_hash TEXT REFERENCES unit_scores (hash),
        series TEXT NOT NULL, note TEXT NOT NULL, not_applicable TEXT NOT NULL)""",
    """CREATE TABLE result_statuses (
        id {id}, result_id INTEGER NOT NULL REFERENCES results (id),
        run_id INTEGER REFERENCES runs (id), status TEXT NOT NULL, why TEXT NOT NULL,
        reference JSON, recorded TEXT NOT NULL)""",
    """CREATE TABLE supersessions (
        id {id}, old_run INTEGER NOT NULL REFERENCES runs (id),
        new_run INTEGER NOT NULL REFERENCES runs (id), why TEXT NOT NULL,
        recorded TEXT NOT NULL)""",
)

_CLAIMS = (
    """CREATE TABLE claims (
        id {id}, experiment TEXT NOT NULL, name TEXT NOT NULL, variant TEXT NOT NULL,
        content JSON NOT NULL, hash TEXT NOT NULL, spec_hash TEXT NOT NULL,
        registered TEXT NOT NULL, after_results INTEGER NOT NULL,
        replaces INTEGER REFERENCES claims (id))""",
    """CREATE TABLE verdicts (
        id {id}, run_id INTEGER NOT NULL REFERENCES runs (id),
        claim_id INTEGER NOT NULL REFERENCES claims (id), variant TEXT NOT NULL,
        verdict TEXT NOT NULL, statement TEXT NOT NULL, effect JSON, boundary FLOAT, p FLOAT,
        p_adjusted FLOAT, design TEXT NOT NULL, n INTEGER NOT NULL, why TEXT NOT NULL,
        advice TEXT NOT NULL, inputs TEXT NOT NULL, post_hoc INTEGER NOT NULL,
        recorded TEXT NOT NULL)""",
)

_FILL = (
    """INSERT INTO runs (id, name, variant, purpose, model, state, started, beat, ended, seconds,
        seed, spec_hash, folder, commit_hash, dirty, process, question, reason)
        SELECT id, name, variant, 'exploratory', '', state, started, started, ended, seconds,
        seed, spec_hash, folder, commit_hash, dirty, process, question, reason FROM runs_1""",
    """INSERT INTO run_details (run_id, spec_path, spec_text, overrides, resolved, versions,
        hardware, facts, planned, cost)
        SELECT id, spec_path, spec_text, overrides, resolved, versions, hardware, '{}', '{}', '{}'
        FROM runs_1""",
    """INSERT INTO stages (id, run_id, name, kind, key, state, reason, started, seconds, made_of,
        outputs, summary, folder, planned, cost)
        SELECT id, run_id, name, kind, key, state, reason, started, seconds, made_of, outputs,
        summary, folder, '{}', '{}' FROM stages_1""",
    move_results,
    name_models,
    write_texts,
    "DROP TABLE results_1",
    "DROP TABLE stages_1",
    "DROP TABLE runs_1",
)

_INDEXES = (
    """CREATE INDEX runs_listed
        ON runs (name, state, purpose, model, started, seconds, value)""",
    "CREATE INDEX runs_unfinished ON runs (state) WHERE state IN ('running', 'interrupted')",
    "CREATE UNIQUE INDEX runs_by_origin ON runs (origin)",
    "CREATE INDEX stages_by_run ON stages (run_id)",
    "CREATE INDEX stages_by_key ON stages (key)",
    "CREATE INDEX results_by_stage ON results (stage_id)",
    "CREATE INDEX results_by_units ON results (units_hash)",
    "CREATE INDEX result_statuses_by_result ON result_statuses (result_id)",
    "CREATE INDEX supersessions_by_old ON supersessions (old_run)",
    "CREATE INDEX supersessions_by_new ON supersessions (new_run)",
    "CREATE UNIQUE INDEX claims_by_name ON claims (experiment, name, variant, hash)",
    "CREATE INDEX verdicts_by_run ON verdicts (run_id)",
    "CREATE INDEX verdicts_by_claim ON verdicts (claim_id)",
)

# The first result of a run is what it is listed with.
_HEADLINES = (
    """UPDATE runs SET headline = (SELECT min(results.id) FROM results
        JOIN stages ON stages.id = results.stage_id WHERE stages.run_id = runs.id)""",
    """UPDATE runs SET value = (SELECT results.value FROM results
        WHERE results.id = runs.headline)""",
)

SECOND = Migration(
    2,
    "evidence: purposes, named controls, scores of units, claims, costs",
    (*_SET_ASIDE, *_RUNS, *_RESULTS, *_CLAIMS, *_FILL, *_INDEXES, *_HEADLINES, number_on),
)
