import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import update
from tests.ledgers import CONTROL, MEASURED, START, recorded, scored

from sonde.core.errors import SondeError
from sonde.ledger.ledger import default_ledger
from sonde.ledger.records import (
    Against,
    Measured,
    RunFilter,
    StageEnd,
    StageStart,
    Status,
)
from sonde.ledger.schema import runs
from sonde.stats.interval import Interval


def test_a_run_comes_back_as_it_was_recorded(ledger):
    run = recorded(ledger, purpose="confirmatory", facts={"tokens": "10M"})
    detail = ledger.show(run)
    assert detail.run["question"] == "Why <b>?"
    assert detail.run["resolved"] == {"seed": 3, "odd": None, "model": {"name": "tiny"}}
    assert detail.run["overrides"] == ["seed=3"]
    assert (detail.run["purpose"], detail.run["model"]) == ("confirmatory", "tiny")
    assert detail.run["facts"] == {"tokens": "10M"}
    assert (detail.run["seconds"], detail.run["state"]) == (5.0, "done")
    assert [stage["name"] for stage in detail.stages] == ["truth"]
    (result,) = detail.results
    assert (result.score.value, result.score.low, result.score.n) == (0.8, 0.7, 40)
    assert result.score.high != result.score.high  # NaN, stored as null
    assert result.controls == {"shuffled labels": Against(CONTROL)}
    assert result.baselines == {}
    assert (result.method, result.metric, result.note) == ("logistic", "auroc", "chosen inside")


def test_plans_and_costs_are_kept_beside_each_other(ledger):
    run = ledger.begin_run(START)
    planned = {"seconds": 55.0, "joules": None, "basis": "an earlier run"}
    stage = ledger.begin_stage(run, StageStart("acts", "extract", "k", "/x", planned=planned))
    cost = {"seconds": 62.0, "device_memory": {"cuda:0": 12}, "dollars": float("nan")}
    ledger.end_stage(stage, StageEnd("done", cost=cost))
    ledger.end_run(run, "done", seconds=70.0, cost={"seconds": 62.0, "planned": planned})
    detail = ledger.show(run)
    assert detail.stages[0]["planned"] == planned
    assert detail.stages[0]["cost"] == {**cost, "dollars": None}
    assert detail.run["cost"]["planned"] == planned


def test_the_facts_may_name_the_model(ledger):
    run = recorded(ledger, facts={"model": "google/gemma-2-2b"})
    assert ledger.show(run).run["model"] == "google/gemma-2-2b"


def test_a_result_may_not_be_applicable(ledger):
    absent = Measured("selected", "auroc", None, not_applicable="one class only")
    run = recorded(ledger, results=(absent, scored(0.7, "blocks.1.resid_post")))
    first, second = ledger.show(run).results
    assert (first.score, first.not_applicable) == (None, "one class only")
    assert second.score is not None
    (row,) = ledger.list()
    assert (row.headline, row.value) == (
        "truth: auroc 0.700 [0.600, 0.800], no control, no baseline",
        0.7,
    )
    recorded(ledger, results=(absent,))
    newest, _ = ledger.list(RunFilter(text="one class"))
    assert newest.headline == "truth: auroc not applicable (one class only)"


@pytest.mark.parametrize(
    "wrong",
    [Measured("a", "auroc", None), Measured("a", "auroc", CONTROL, not_applicable="no")],
)
def test_a_result_has_a_score_or_a_reason(ledger, wrong):
    with pytest.raises(SondeError, match="for having none"):
        recorded(ledger, results=(wrong,))
    assert ledger.show(1).results == ()


def test_infinities_come_back(ledger):
    wide = Interval(0.5, float("-inf"), float("inf"), 3)
    measured = Measured("x", "mean", wide, baselines={"length": Against(wide, ("length",))})
    (result,) = ledger.show(recorded(ledger, results=(measured,))).results
    assert result.score == wide
    assert result.baselines == {"length": Against(wide, ("length",))}


def test_a_reused_stage_shows_the_results_that_it_had(ledger):
    recorded(ledger)
    run = ledger.begin_run(START)
    stage = ledger.begin_stage(run, StageStart("truth", "probe", "key1", "/x"))
    ledger.end_stage(stage, StageEnd("reused"))
    assert [result.name for result in ledger.show(run).results] == ["selected"]
    assert ledger.list()[0].headline.startswith("truth: auroc 0.800")


def test_a_reused_stage_keeps_its_results_where_the_ledger_does_not_have_them(ledger):
    for first in (True, False):
        run = ledger.begin_run(START)
        stage = ledger.begin_stage(run, StageStart("truth", "probe", "elsewhere", "/x"))
        ledger.end_stage(stage, StageEnd("reused", results=(scored(0.7),)))
        assert [result.score.value for result in ledger.show(run).results] == [0.7], first
        ledger.record_statuses(run, [Status("truth", "selected", "novel")])
    known = recorded(ledger)
    run = ledger.begin_run(START)
    stage = ledger.begin_stage(run, StageStart("truth", "probe", f"key{known}", "/x"))
    ledger.end_stage(stage, StageEnd("reused", results=(scored(0.1),)))
    assert [result.score.value for result in ledger.show(run).results] == [0.8]


def test_a_reused_stage_never_shows_results_of_a_later_run(ledger):
    for value in (0.6, 0.9):  # the second time by force, under the same key
        run = ledger.begin_run(START)
        stage = ledger.begin_stage(run, StageStart("truth", "probe", "key", "/x"))
        ledger.end_stage(stage, StageEnd("done", results=(scored(value),)))
        again = ledger.begin_run(START)
        ledger.end_stage(
            ledger.begin_stage(again, StageStart("truth", "probe", "key", "/x")),
            StageEnd("reused"),
        )
    assert [ledger.show(run).results[0].score.value for run in (2, 4)] == [0.6, 0.9]


def test_several_runs_are_shown_at_once(ledger):
    numbers = [recorded(ledger, results=(scored(value),)) for value in (0.6, 0.7, 0.8)]
    assert ledger.details(numbers) == tuple(map(ledger.show, numbers))
    assert ledger.details([]) == ()


def test_statuses_are_added_and_the_newest_counts(ledger):
    run = recorded(ledger)
    reference = {"value": 0.81, "tolerance": 0.02, "source": "the paper"}
    ledger.record_statuses(
        run, [Status("truth", "selected", "reproduced", "0.80 is near.", reference)]
    )
    (result,) = ledger.show(run).results
    assert (result.status, result.status_why) == ("reproduced", "0.80 is near.")
    assert result.reference == reference
    ledger.set_status(result.id, "inconclusive", "The adapter was wrong.")
    (result,) = ledger.show(run).results
    assert (result.status, result.reference) == ("inconclusive", None)


def test_a_run_that_reuses_a_result_has_its_own_status_of_it(ledger):
    first = recorded(ledger)
    ledger.record_statuses(first, [Status("truth", "selected", "novel")])
    second = ledger.begin_run(START)
    stage = ledger.begin_stage(second, StageStart("truth", "probe", f"key{first}", "/x"))
    ledger.end_stage(stage, StageEnd("reused"))
    assert ledger.show(second).results[0].status == "novel"
    ledger.record_statuses(second, [Status("truth", "selected", "reproduced")])
    assert [ledger.show(run).results[0].status for run in (first, second)] == [
        "novel",
        "reproduced",
    ]


def test_a_status_of_nothing_is_refused(ledger):
    run = recorded(ledger)
    with pytest.raises(SondeError, match=r"no result truth.select.*'truth.selected'"):
        ledger.record_statuses(run, [Status("truth", "select", "novel")])
    with pytest.raises(SondeError, match=r"'reproduce' is not a status.*'reproduced'"):
        ledger.set_status(1, "reproduce", "")
    with pytest.raises(SondeError, match="no result 99"):
        ledger.set_status(99, "novel", "")
    with pytest.raises(SondeError, match="no run 99"):
        ledger.record_statuses(99, [])


def test_a_run_whose_process_is_gone_was_interrupted(where, ledger):
    script = (
        "import os, sys; from tests.ledgers import START, Ledger, StageStart;"
        "ledger = Ledger.open(sys.argv[1]); run = ledger.begin_run(START);"
        "ledger.begin_stage(run, StageStart('acts', 'extract', 'k', '/x')); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, where], check=False)
    mine = ledger.begin_run(START)
    assert [(run.id, run.state) for run in ledger.list()] == [
        (mine, "running"),
        (1, "interrupted"),
    ]
    assert ledger.show(1).stages[0]["state"] == "interrupted"
    assert [run.id for run in ledger.list(RunFilter(state="interrupted"))] == [1]
    assert [run.id for run in ledger.list(RunFilter(state="running"))] == [mine]


def test_a_run_of_another_machine_is_interrupted_once_it_is_silent(ledger):
    run = ledger.begin_run(START)
    elsewhere = {"host": "elsewhere", "pid": os.getpid(), "since": 0.0}
    silent = (datetime.now(UTC) - timedelta(minutes=11)).isoformat(timespec="milliseconds")
    with ledger.engine.begin() as connection:
        connection.execute(update(runs).values(process=elsewhere, beat=silent))
    assert ledger.show(run).run["state"] == "interrupted"
    ledger.beat(run)
    assert ledger.show(run).run["state"] == "running"
    assert ledger.list(RunFilter(state="interrupted")) == ()


def test_a_number_that_nobody_has_is_refused(ledger):
    end = partial(ledger.end_run, state="done")
    for ask in (ledger.show, ledger.beat, ledger.resume_run, end):
        with pytest.raises(SondeError, match="no run 7"):
            ask(7)
    with pytest.raises(SondeError, match="no run 7"):
        ledger.begin_stage(7, StageStart("a", "probe", "k", "/x"))
    with pytest.raises(SondeError, match="no stage 7"):
        ledger.end_stage(7, StageEnd("done"))


def test_a_purpose_that_does_not_exist_is_refused(ledger):
    with pytest.raises(SondeError, match="'smok' is not a purpose"):
        recorded(ledger, purpose="smok")


def test_a_read_only_mapping_is_recorded_like_any_other(ledger):
    from types import MappingProxyType

    resolved = MappingProxyType({"a": MappingProxyType({"b": (1, 2)})})
    assert ledger.show(recorded(ledger, resolved=resolved)).run["resolved"] == {"a": {"b": [1, 2]}}


def test_what_is_difficult_to_store_comes_back(ledger):
    words = "NUL \x00, half \ud83d, whole 😀, \u202e to the left, '; DROP TABLE runs; --, \\, %_*|"
    note = "n" * 1_000_000
    measured = Measured("näme", "auroc", CONTROL, note=note)
    run = recorded(ledger, question=words, resolved={"a\x00": words}, results=(measured,))
    detail = ledger.show(run)
    # PostgreSQL's texts hold no NUL, and UTF-8 no half of a pair: both are shown by a symbol.
    assert detail.run["question"] == words.replace("\x00", "␀").replace("\ud83d", "�")
    assert detail.run["resolved"] == {"a\x00": words}
    assert (detail.results[0].name, detail.results[0].note) == ("näme", note)
    assert [row.id for row in ledger.list(RunFilter(text="WHOLE 😀"))] == [run]
    assert [row.id for row in ledger.list(RunFilter(text="%_*|"))] == [run]


def test_the_variable_decides_where_the_ledger_is(tmp_path, monkeypatch):
    monkeypatch.delenv("SONDE_LEDGER", raising=False)
    assert default_ledger(tmp_path) == str(tmp_path / "ledger.sqlite")
    monkeypatch.setenv("SONDE_LEDGER", "postgresql+psycopg://h/d")
    assert default_ledger(tmp_path) == "postgresql+psycopg://h/d"


def test_the_example_is_listed_in_words(ledger):
    recorded(ledger, results=(MEASURED,))
    (row,) = ledger.list()
    assert row.headline == "truth: auroc 0.800 [0.700, –], no baseline"
    assert (row.name, row.model, row.purpose, row.value) == ("first", "tiny", "exploratory", 0.8)


def test_a_run_ends_in_a_state_that_there_is(ledger):
    run = ledger.begin_run(START)
    with pytest.raises(SondeError, match=r"cannot end as 'dome'\..*'done'"):
        ledger.end_run(run, "dome")
    with pytest.raises(SondeError, match="cannot end as 'superseded'"):
        ledger.end_run(run, "superseded")
    assert ledger.show(run).run["state"] == "running"


def test_what_a_run_ended_as_is_not_changed(ledger):
    run = ledger.begin_run(START)
    ledger.end_run(run, "failed", reason="it broke")
    for change in (partial(ledger.end_run, state="done"), ledger.beat):
        with pytest.raises(SondeError, match=f"Run {run} has ended already: it is failed"):
            change(run)
    with pytest.raises(SondeError, match="cannot go on: it is failed"):
        ledger.resume_run(run)
    assert ledger.show(run).run["reason"] == "it broke"


def test_a_done_run_goes_on_in_its_own_process(ledger):
    run = recorded(ledger)
    ledger.resume_run(run)
    assert ledger.show(run).run["state"] == "running"
    assert ledger.show(run).run["ended"] is None
    ledger.end_run(run, "done", seconds=9.0)
    assert ledger.show(run).run["seconds"] == 9.0
    with ledger.engine.begin() as connection:
        connection.execute(update(runs).values(process={"host": "elsewhere"}))
    with pytest.raises(SondeError, match="another process began it"):
        ledger.resume_run(run)
