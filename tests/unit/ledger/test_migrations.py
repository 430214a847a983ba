import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from tests.ledgers import recorded

from sonde.core.errors import SondeError
from sonde.ledger import migrations as module
from sonde.ledger.ledger import Ledger
from sonde.ledger.migrations import MIGRATIONS, migrate
from sonde.ledger.records import Against, RunFilter
from sonde.ledger.schema import metadata


def reflected(engine):
    """Return what a database says of its tables, without the names of what it named itself."""
    found = {}
    for name in sorted(metadata.tables):
        inspector = inspect(engine)
        found[name] = {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"] or column["name"] == "id")
                for column in inspector.get_columns(name)
            },
            "key": inspector.get_pk_constraint(name)["constrained_columns"],
            "references": sorted(
                (key["constrained_columns"], key["referred_table"], key["referred_columns"])
                for key in inspector.get_foreign_keys(name)
            ),
            "indexes": sorted(
                (index["name"], index["column_names"], bool(index["unique"]))
                for index in inspector.get_indexes(name)
            ),
        }
    return found


def url_of(where):
    if "://" in where:
        return where
    Path(where).parent.mkdir()
    return f"sqlite:///{where}"


def without_id_nullable(tables):
    # SQLite calls a key nullable that was not declared otherwise, and never leaves it null.
    return {
        name: {**table, "columns": {**table["columns"], "id": None}}
        for name, table in tables.items()
    }


def test_the_migrations_make_the_schema(ledger, fresh):
    declared = create_engine(url_of(fresh))
    metadata.create_all(declared)
    assert without_id_nullable(reflected(ledger.engine)) == without_id_nullable(reflected(declared))
    names = inspect(ledger.engine).get_table_names()
    assert set(names) == {*metadata.tables, "migrations"}  # nothing that was set aside is left


def test_migrations_are_numbered_without_gaps():
    assert [one.number for one in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


# --- a ledger of schema 1, with rows as the first sonde wrote them

RUNS_1 = (
    "INSERT INTO runs (id, name, variant, question, state, reason, started, ended, seconds, seed, "
    "spec_path, spec_text, overrides, resolved, spec_hash, folder, commit_hash, dirty, versions, "
    "hardware, process) VALUES (:id, 'news', 'seed=1', 'Is Good news readable?', :state, :reason, "
    "'2026-06-21T10:00:00.000+00:00', NULL, 5.5, 1, '/x/news.yaml', 'name: news', '[\"seed=1\"]', "
    ":resolved, 'hash', '/x/runs', NULL, 1, '{}', '{}', :process)"
)
STAGES_1 = (
    "INSERT INTO stages (id, run_id, name, kind, key, state, reason, started, seconds, made_of, "
    "outputs, summary, folder) VALUES (:id, :run, 'mood', 'probe', 'k', 'done', '', "
    "'2026-06-21T10:00:00.000+00:00', 2.5, '{}', '{\"a\"\\: \"b\"}', '{}', '/x/runs/mood')"
)
RESULTS_1 = (
    "INSERT INTO results (id, stage_id, name, metric, value, low, high, level, n, control, "
    "baseline, units, note) VALUES (:id, 7, :name, :metric, :value, 0.7, NULL, 0.95, 40, :control, "
    ":baseline, 'probe/out_of_fold.parquet', :note)"
)


def make_schema_1(engine, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(module, "MIGRATIONS", MIGRATIONS[:1])
        migrate(engine)
    process = json.dumps({"host": "elsewhere", "pid": 1, "since": 2.0})
    settings = json.dumps({"model": {"name": "smollm2"}, "seed": 1})
    score = json.dumps({"value": 0.5, "low": 0.4, "high": None, "n": 40, "level": 0.95})
    with engine.begin() as connection:
        for id, state, reason in ((3, "done", ""), (9, "failed", "it Broke"), (11, "running", "")):
            given = {"id": id, "state": state, "reason": reason, "process": process}
            resolved = settings if id == 3 else json.dumps({"model": None})
            connection.execute(text(RUNS_1), {**given, "resolved": resolved})
        connection.execute(text(STAGES_1), {"id": 7, "run": 3})
        common = {"control": score, "baseline": "null", "note": "A warning"}
        for id, name, metric, value in (
            (5, "selected", "logistic balanced_accuracy", 0.8),
            (6, "blocks.1.resid_post", "FVU of something", None),
        ):
            row = {"id": id, "name": name, "metric": metric, "value": value, **common}
            connection.execute(text(RESULTS_1), row)


@pytest.fixture
def upgraded(fresh, monkeypatch):
    first = create_engine(url_of(fresh))
    make_schema_1(first, monkeypatch)
    first.dispose()
    found = Ledger.open(fresh)
    yield found
    found.engine.dispose()


def test_a_ledger_of_the_first_schema_keeps_everything(upgraded):
    detail = upgraded.show(3)
    assert detail.run["question"] == "Is Good news readable?"
    assert (detail.run["purpose"], detail.run["model"]) == ("exploratory", "smollm2")
    assert (detail.run["overrides"], detail.run["dirty"]) == (["seed=1"], 1)
    assert detail.run["facts"] == detail.run["cost"] == detail.run["planned"] == {}
    assert detail.stages[0]["outputs"] == {"a": "b"}
    first, second = detail.results
    assert (first.method, first.metric) == ("logistic", "balanced_accuracy")
    assert (second.method, second.metric) == ("", "FVU of something")
    control = first.controls["shuffled labels"]
    assert isinstance(control, Against)
    assert (control.score.value, control.score.low, control.series) == (0.5, 0.4, ())
    assert first.baselines == {}
    assert first.score.high != first.score.high  # it was null
    assert (first.score.value, first.score.low, first.score.n) == (0.8, 0.7, 40)
    assert second.score.value != second.score.value
    assert first.units == "probe/out_of_fold.parquet"
    with pytest.raises(SondeError, match="no scores of single units"):
        upgraded.scores(first.id)


def test_a_ledger_of_the_first_schema_is_listed_and_searched(upgraded):
    rows = upgraded.list(reverse=True)
    assert [(row.id, row.state) for row in rows] == [
        (3, "done"),
        (9, "failed"),
        (11, "interrupted"),  # on another machine, long ago
    ]
    assert (rows[0].value, rows[0].headline[:28]) == (0.8, "mood: balanced_accuracy 0.80")
    for words, expected in (("a WARNING", [3]), ("it broke", [9]), ("good news", [3, 9, 11])):
        found = upgraded.list(RunFilter(text=words), reverse=True)
        assert [row.id for row in found] == expected


def test_a_ledger_of_the_first_schema_is_written_to_and_numbers_on(upgraded):
    run = recorded(upgraded)
    assert run == 12
    assert upgraded.show(run).results[0].id == 7


def test_a_ledger_of_the_first_schema_gets_the_schema_of_a_new_one(upgraded, ledger):
    assert reflected(upgraded.engine) == reflected(ledger.engine)


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(fresh, monkeypatch):
    engine = create_engine(url_of(fresh))
    make_schema_1(engine, monkeypatch)
    with engine.begin() as connection:
        connection.execute(text("UPDATE results SET control = '\"no interval\"'"))
    with pytest.raises(TypeError):
        Ledger.open(fresh)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT max(number) FROM migrations")).scalar() == 1
        assert connection.execute(text("SELECT count(*) FROM results")).scalar() == 2
        connection.execute(text("UPDATE results SET control = 'null'"))
    engine.dispose()
    assert Ledger.open(fresh).show(3).results[0].controls == {}


def test_opening_again_migrates_nothing(fresh):
    for _ in range(2):
        opened = Ledger.open(fresh)
    with opened.engine.begin() as connection:
        count = connection.execute(text("SELECT count(*) FROM migrations")).scalar()
    assert count == len(MIGRATIONS)


def test_several_may_open_a_new_ledger_at_once(fresh):
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(Ledger.open, [fresh] * 6))
    assert [one.list() for one in opened] == [()] * 6
    for one in opened:
        one.engine.dispose()


def test_a_newer_ledger_is_refused(fresh):
    with Ledger.open(fresh).engine.begin() as connection:
        connection.execute(text("INSERT INTO migrations VALUES (99, 'later', 'then')"))
    with pytest.raises(SondeError, match="schema 99"):
        Ledger.open(fresh)
