import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sonde.core.errors import SondeError
from sonde.ledger.ledger import Ledger, default_ledger
from sonde.ledger.records import Measured, RunStart, StageEnd, StageStart
from sonde.stats.interval import Interval

START = RunStart(
    name="first",
    variant="",
    question="Why <b>?",
    seed=3,
    spec_path="/x/first.yaml",
    spec_text="name: first\n",
    overrides=("seed=3",),
    resolved={"seed": 3, "odd": float("nan")},
    spec_hash="abc",
    folder="/x/runs/first",
    versions={"torch": "2"},
)
SCORE = Interval(0.8, 0.7, float("nan"), 40)


@pytest.fixture
def ledger(tmp_path):
    return Ledger.open(tmp_path / "deep" / "ledger.sqlite")


def recorded(ledger, name="first", state="done"):
    run = ledger.begin_run(START)
    stage = ledger.begin_stage(run, StageStart("truth", "probe", "key1", "/x"))
    measured = Measured("selected", "auroc", SCORE, control=Interval(0.5, 0.4, 0.6, 40))
    ledger.end_stage(stage, StageEnd("done", seconds=2.0, results=(measured,)))
    ledger.end_run(run, state, reason="" if state == "done" else "it broke", seconds=5.0)
    return run


def test_a_run_comes_back_as_it_was_recorded(ledger):
    detail = ledger.show(recorded(ledger))
    assert detail.run["question"] == "Why <b>?"
    assert detail.run["resolved"] == {"seed": 3, "odd": None}
    assert detail.run["overrides"] == ["seed=3"]
    assert [stage["name"] for stage in detail.stages] == ["truth"]
    (result,) = detail.results
    assert (result.score.value, result.score.low, result.score.n) == (0.8, 0.7, 40)
    assert result.score.high != result.score.high  # NaN, stored as null
    assert result.control == Interval(0.5, 0.4, 0.6, 40)
    assert result.baseline is None


def test_the_list_is_newest_first_and_filtered(ledger):
    first, second = recorded(ledger), recorded(ledger, state="failed")
    assert [run.id for run in ledger.list()] == [second, first]
    assert [run.id for run in ledger.list(state="failed")] == [second]
    assert [run.id for run in ledger.list(limit=1)] == [second]
    assert ledger.list(name="another") == ()
    assert ledger.list()[0].reason == "it broke"
    assert ledger.list()[0].headline.startswith("truth: auroc 0.800")


def test_a_reused_stage_shows_the_results_that_it_had(ledger):
    recorded(ledger)
    run = ledger.begin_run(START)
    stage = ledger.begin_stage(run, StageStart("truth", "probe", "key1", "/x"))
    ledger.end_stage(stage, StageEnd("reused"))
    assert [result.name for result in ledger.show(run).results] == ["selected"]


def test_a_run_whose_process_is_gone_was_interrupted(tmp_path, ledger):
    path = tmp_path / "deep" / "ledger.sqlite"
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[2]);"
        "from test_ledger import START, Ledger, StageStart;"
        "ledger = Ledger.open(sys.argv[1]); run = ledger.begin_run(START);"
        "ledger.begin_stage(run, StageStart('acts', 'extract', 'k', '/x')); os._exit(9)"
    )
    here = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", script, str(path), here], check=False)
    mine = ledger.begin_run(START)
    assert [(run.id, run.state) for run in ledger.list()] == [
        (mine, "running"),
        (1, "interrupted"),
    ]
    assert ledger.show(1).stages[0]["state"] == "interrupted"
    assert [run.id for run in ledger.list(state="interrupted")] == [1]
    assert [run.id for run in ledger.list(state="running")] == [mine]


def test_a_number_that_nobody_has_is_refused(ledger):
    with pytest.raises(SondeError, match="no run 7"):
        ledger.show(7)


def test_a_ledger_is_not_made_by_looking(tmp_path):
    with pytest.raises(SondeError, match="no ledger"):
        Ledger.open(tmp_path / "none.sqlite", create=False)
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize("where", ["nosuchdialect://x/y", "postgresql+nodriver://u:secret@h/d"])
def test_a_url_that_cannot_be_opened_is_said_without_its_password(where):
    with pytest.raises(SondeError) as error:
        Ledger.open(where)
    assert "secret" not in str(error.value)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_text("this is a text, and quite a long one, not a database at all")
    with pytest.raises(SondeError, match="cannot be opened"):
        Ledger.open(path)


def test_the_variable_decides_where_the_ledger_is(tmp_path, monkeypatch):
    monkeypatch.delenv("SONDE_LEDGER", raising=False)
    assert default_ledger(tmp_path) == str(tmp_path / "ledger.sqlite")
    monkeypatch.setenv("SONDE_LEDGER", "postgresql+psycopg://h/d")
    assert default_ledger(tmp_path) == "postgresql+psycopg://h/d"


def test_sqlite_writes_ahead_and_survives_writers_at_once(tmp_path, ledger):
    path = tmp_path / "deep" / "ledger.sqlite"
    script = (
        "import sys; sys.path.insert(0, sys.argv[2]); from test_ledger import START, Ledger;"
        "ledger = Ledger.open(sys.argv[1]); [ledger.begin_run(START) for _ in range(15)]"
    )
    arguments = [sys.executable, "-c", script, str(path), str(Path(__file__).parent)]
    writers = [subprocess.Popen(arguments) for _ in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len(ledger.list(limit=100)) == 30
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
