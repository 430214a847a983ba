"""What leaves a ledger in any format enters another, and leaves that one as the same bytes."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ledgers import CLAIM, START, recorded, verdict, write_units

from sonde.ledger.exchange import Wanted, export_runs, import_runs
from sonde.ledger.exchange.formats import FORMATS
from sonde.ledger.exchange.restoring import PAGE
from sonde.ledger.ledger import Ledger
from sonde.ledger.records import Against, Measured, RunFilter, StageEnd, StageStart, Status
from sonde.stats.interval import Interval

INFINITE = float("inf")
NASTY = "| a \\| `b|c` ~~\n\r\n\t- x\n=SUM(A1)\n<br> &amp; \\n 'q' \"q\" ,;𝔘 עברית \x07\u2028\x85 "
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
# Half of a surrogate pair and NUL are not stored in text columns; facts are JSON and may hold both.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.text(
    st.sampled_from("|\\<&br>#;= \n\r\t\"'`+-@,{}[]"), max_size=10
)
ANY_TEXTS = st.text(st.characters(codec=None), max_size=20) | TEXTS
INTERVALS = st.builds(Interval, NUMBERS, NUMBERS, NUMBERS, st.integers(0, 10**6))
AGAINST = st.dictionaries(TEXTS, st.builds(Against, INTERVALS, st.tuples(TEXTS)), max_size=2)
MEASURED = st.builds(
    Measured,
    name=TEXTS,
    metric=TEXTS,
    score=INTERVALS,
    method=TEXTS,
    controls=AGAINST,
    baselines=AGAINST,
    series=TEXTS,
    note=TEXTS,
) | st.builds(
    Measured, name=TEXTS, metric=TEXTS, score=st.none(), not_applicable=TEXTS.map("x".__add__)
)
STARTS = st.builds(
    replace,
    st.just(START),
    name=TEXTS,
    variant=TEXTS,
    question=TEXTS,
    seed=st.integers(-(2**31), 2**31 - 1),
    spec_text=TEXTS,
    overrides=st.lists(TEXTS, max_size=2).map(tuple),
    resolved=st.dictionaries(TEXTS, NUMBERS | ANY_TEXTS | st.none(), max_size=2),
    commit_hash=st.none() | TEXTS,
    dirty=st.none() | st.booleans(),
    hardware=st.dictionaries(ANY_TEXTS, ANY_TEXTS | NUMBERS, max_size=2),
    facts=st.dictionaries(ANY_TEXTS | st.sampled_from(["notes", "status"]), ANY_TEXTS, max_size=3),
)
RUNS = st.tuples(STARTS, st.lists(MEASURED, max_size=3), st.sampled_from(["done", "failed"]), TEXTS)
numbers = count()


def fresh() -> Ledger:
    return Ledger.open("sqlite:///:memory:")


def written(ledger: Ledger, format: str, *, units: bool = False) -> bytes:
    file = io.BytesIO()
    export_runs(ledger.engine, file, Wanted(units=units), format)
    return file.getvalue()


def imported(content: bytes, format: str, folder, into: Ledger):
    path = folder / f"{next(numbers)}{FORMATS[format].endings[0]}"
    path.write_bytes(content)
    return import_runs(into.engine, path)


def comes_back(ledger: Ledger, format: str, folder, *, units: bool = False) -> Ledger:
    content = written(ledger, format, units=units)
    second = fresh()
    imported(content, format, folder, second)
    assert written(second, format, units=units) == content
    again = imported(content, format, folder, second)
    assert again.new == ()
    assert written(second, format, units=units) == content
    return second


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(RUNS, min_size=1, max_size=3))
def test_any_runs_come_back(format, runs, tmp_path):
    ledger = fresh()
    for start, results, state, reason in runs:
        run = ledger.begin_run(start)
        stage = ledger.begin_stage(run, StageStart("truth", "probe", "key", "/x"))
        ledger.end_stage(stage, StageEnd("done", results=tuple(results)))
        ledger.end_run(run, state, reason=reason, seconds=0.5)
    comes_back(ledger, format, tmp_path)
    ledger.engine.dispose()


@pytest.fixture
def full(tmp_path):
    """A ledger with one of everything."""
    ledger = fresh()
    (claim,) = ledger.register([CLAIM])
    ledger.register([replace(CLAIM, hash="h2", after_results=True)])
    units = write_units(
        tmp_path / "stage" / "units.parquet",
        {"series": ["s"] * 2, "unit": ["a", "b"], "predicted": [1.0, 2.0], "truth": [0.0, 1.0]},
    )
    score = Interval(INFINITE, float("nan"), -INFINITE, 40)
    nasty = Measured(
        NASTY, "auroc", score, NASTY, {NASTY: Against(score, (NASTY, ""))}, {}, "units.parquet",
        "s", NASTY,
    )  # fmt: skip
    missing = Measured("none", "auroc", None, not_applicable=NASTY)
    first = recorded(
        ledger,
        results=(nasty, missing),
        folder=units.parent,
        question=NASTY,
        facts={"notes": NASTY, "long": "m" * 2**20, "half \ud800": "\x00\udfff"},
        purpose="confirmatory",
    )
    second = recorded(ledger, state="failed", results=())
    reused = ledger.begin_run(START)
    stage = ledger.begin_stage(reused, StageStart("truth", "probe", f"key{first}", "/x"))
    ledger.end_stage(stage, StageEnd("reused"))
    ledger.end_run(reused, "done", seconds=1.5)
    ledger.record_verdicts(first, [verdict(claim.id, why=NASTY)])
    ledger.record_statuses(first, [Status("truth", NASTY, "novel", NASTY, {"value": 1.0})])
    ledger.set_status(ledger.show(first).results[1].id, "inconclusive", NASTY)
    ledger.supersede(second, first, NASTY)
    ledger.supersede(first, reused, "again")
    yield ledger
    ledger.engine.dispose()


@pytest.mark.parametrize("format", FORMATS)
def test_one_of_everything_comes_back(format, full, tmp_path):
    second = comes_back(full, format, tmp_path)
    found = [(run.state, run.replaced_by) for run in second.list(sort="id", reverse=True)]
    assert found == [("superseded", 3), ("resolved", 1), ("done", None)]


def _when(one):
    return one.recorded, one.old


def test_json_lines_bring_everything(full, tmp_path):
    second = comes_back(full, "jsonl", tmp_path, units=True)
    for run in (1, 2, 3):
        ours, theirs = full.show(run), second.show(run)
        same = {name: value for name, value in ours.run.items() if name not in ("origin", "facts")}
        assert {name: theirs.run[name] for name in same} == same
        assert {**ours.run["facts"], "run id": f"first-{run}"} == theirs.run["facts"]
        assert ours.stages == theirs.stages
        assert repr(ours.results) == repr(theirs.results)
        assert ours.claims == theirs.claims
        assert repr(ours.verdicts) == repr(theirs.verdicts)
        # Those of one run keep their order; of several, in one millisecond, there is none.
        by_run = [sorted(one.supersessions, key=_when) for one in (ours, theirs)]
        assert by_run[0] == by_run[1]
    (scores,) = second.scores(second.show(1).results[0].id)
    assert scores.predicted.tolist() == [1.0, 2.0]


def test_without_units_their_hash_alone_comes_along(full, tmp_path):
    second = comes_back(full, "jsonl", tmp_path)
    result = second.show(1).results[0]
    assert result.units_hash == full.show(1).results[0].units_hash
    assert b'"content":null' in written(full, "jsonl")
    # The file is still where the stage left it.
    assert second.scores(result.id)[0].predicted.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_a_reused_result_comes_along_without_the_run_that_made_it(format, full, tmp_path):
    file = io.BytesIO()
    export_runs(full.engine, file, Wanted(RunFilter(), (3,)), format)
    second = fresh()
    imported(file.getvalue(), format, tmp_path, second)
    (run,) = second.list()
    assert len(second.show(run.id).results) == 2
    assert written(second, format) == file.getvalue()


def test_a_superseded_run_brings_along_what_superseded_it(full):
    file = io.BytesIO()
    assert export_runs(full.engine, file, Wanted(RunFilter(), (2,)), "jsonl") == 3


def test_a_ledger_may_be_put_together_from_several(tmp_path):
    first, second = fresh(), fresh()
    for ledger, names in ((first, "ab"), (second, "c")):
        for name in names:
            recorded(ledger, name=name)
    done = imported(written(first, "jsonl"), "jsonl", tmp_path, second)
    assert (len(done.new), done.there) == (2, 0)
    assert [run.name for run in second.list()] == ["b", "a", "c"]
    assert second.list()[0].headline == "truth: auroc 0.800 [0.700, –], no baseline"
    back = imported(written(second, "csv"), "csv", tmp_path, first)
    assert (len(back.new), back.there) == (1, 2)


def test_a_run_that_still_runs_is_left_out_and_said(tmp_path):
    ledger = fresh()
    ledger.begin_run(START)
    recorded(ledger)
    done = imported(written(ledger, "jsonl"), "jsonl", tmp_path, fresh())
    assert len(done.new) == 1
    assert done.notes == (
        "first-1 was still running when it was exported, and is left out: export it again once it "
        "has ended.",
    )


@pytest.mark.parametrize("format", FORMATS)
def test_runs_go_from_sqlite_to_postgresql_and_back(format, full, server, emptied, tmp_path):
    server.empty(emptied)
    there = Ledger.open(emptied)
    content = written(full, format)
    imported(content, format, tmp_path, there)
    assert written(there, format) == content
    assert imported(content, format, tmp_path, there).new == ()
    back = fresh()
    imported(written(there, format), format, tmp_path, back)
    assert written(back, format) == content
    there.engine.dispose()


def test_two_importers_at_once_add_each_run_once(tmp_path, where):
    ledger = fresh()
    for _ in range(PAGE + 3):  # more than are written at once
        recorded(ledger)
    path = tmp_path / "runs.jsonl"
    export_runs(ledger.engine, path)
    both = [Ledger.open(where), Ledger.open(where)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda one: import_runs(one.engine, path), both))
    assert sum(len(one.new) for one in done) == sum(one.there for one in done) == PAGE + 3
    assert len(both[0].list(limit=None)) == PAGE + 3
    for one in both:
        one.engine.dispose()


def test_a_later_import_adds_what_superseded_a_run_since(tmp_path):
    ledger, second = fresh(), fresh()
    recorded(ledger)
    imported(written(ledger, "jsonl"), "jsonl", tmp_path, second)
    recorded(ledger)
    ledger.supersede(1, 2, "wrong")
    done = imported(written(ledger, "jsonl"), "jsonl", tmp_path, second)
    assert (len(done.new), done.there) == (1, 1)
    assert [run.state for run in second.list()] == ["done", "superseded"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_in_pages_is_the_same(format, full, monkeypatch):
    whole = written(full, format)
    monkeypatch.setattr("sonde.ledger.exchange.collecting.PAGE", 1)
    monkeypatch.setattr("sonde.ledger.exchange.collecting.LISTED", 1)
    monkeypatch.setattr("sonde.ledger.rows.AT_ONCE", 1)
    assert written(full, format) == whole
