import zlib
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update
from tests.ledgers import START, write_units

from sonde.core.errors import SondeError
from sonde.core.files import sha256_file
from sonde.ledger.audit import CHANGED, MISSING, UNREADABLE, audit
from sonde.ledger.exchange import export_runs, import_runs
from sonde.ledger.ledger import Ledger
from sonde.ledger.records import Measured, StageEnd, StageStart
from sonde.ledger.schema import runs, unit_scores
from sonde.stats.interval import Interval


@pytest.fixture
def ledger(tmp_path):
    return Ledger.open(tmp_path / "ledger.sqlite")


def run_with(ledger, folder, *, state="done", texts=("one", "two"), units=False):
    """Record a run whose stage left some files."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, text in enumerate(texts):
        (folder / f"{index}.txt").write_text(text)
    results = ()
    if units:
        column = {"series": ["s"], "unit": ["a"], "predicted": [1.0], "truth": [0.0]}
        write_units(folder / "units.parquet", column)
        score = Interval(1.0, 0.0, 1.0, 1)
        results = (Measured("selected", "mean", score, units="units.parquet", series="s"),)
    outputs = {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
    run = ledger.begin_run(START)
    stage = ledger.begin_stage(run, StageStart("truth", "probe", "k", str(folder)))
    ledger.end_stage(stage, StageEnd(state, outputs=outputs, results=results, folder=folder))
    ledger.end_run(run, "done")
    return run


def test_what_was_not_touched_has_no_problem(ledger, tmp_path):
    run_with(ledger, tmp_path / "a", units=True)
    run_with(ledger, tmp_path / "b")
    found = audit(ledger)
    assert (found.problems, found.files, found.units) == ((), 5, 1)
    assert (found.elsewhere, found.made_again) == ((), 0)


def test_changed_missing_and_unreadable_files_are_found(ledger, tmp_path):
    folder = tmp_path / "a"
    run = run_with(ledger, folder, texts=("one", "two", "three"))
    (folder / "0.txt").write_bytes(b"onf")
    (folder / "1.txt").unlink()
    (folder / "2.txt").unlink()
    (folder / "2.txt").mkdir()
    found = audit(ledger)
    assert [(one.what, Path(one.where).name, one.runs) for one in found.problems] == [
        (CHANGED, "0.txt", (run,)),
        (MISSING, "1.txt", (run,)),
        (UNREADABLE, "2.txt", (run,)),
    ]


def test_a_missing_folder_is_one_problem_here_and_none_of_another_machine(ledger, tmp_path):
    here, there = (run_with(ledger, tmp_path / name) for name in "ab")
    for name in "ab":
        (tmp_path / name).rename(tmp_path / f"{name} moved")
    with ledger.engine.begin() as connection:
        moved = {"host": "another", "pid": 1, "since": 0.0}
        connection.execute(update(runs).where(runs.c.id == there).values(process=moved))
    found = audit(ledger)
    (problem,) = found.problems
    assert (problem.what, problem.runs, problem.why) == (MISSING, (here,), "2 files lay in it")
    assert found.elsewhere == (there,)


def test_a_run_of_another_machine_is_checked_where_its_folder_is_here(ledger, tmp_path):
    run = run_with(ledger, tmp_path / "a")
    with ledger.engine.begin() as connection:
        connection.execute(update(runs).values(process={"host": "another"}))
    (tmp_path / "a" / "0.txt").write_text("other")
    assert [one.runs for one in audit(ledger).problems] == [(run,)]


def test_a_stage_that_was_made_again_is_checked_against_its_newest_hashes(ledger, tmp_path):
    run_with(ledger, tmp_path / "a")
    second = run_with(ledger, tmp_path / "a", texts=("one", "changed"))
    third = run_with(ledger, tmp_path / "a", texts=("one", "changed"), state="reused")
    found = audit(ledger)
    assert (found.problems, found.made_again, found.files) == ((), 1, 2)
    (tmp_path / "a" / "1.txt").write_text("two")
    (problem,) = audit(ledger).problems
    assert problem.runs == (second, third)


def test_scores_of_units_that_changed_in_the_ledger_are_found(ledger, tmp_path):
    run = run_with(ledger, tmp_path / "a", units=True)
    for content, what in ((zlib.compress(b"other"), CHANGED), (b"no zlib", UNREADABLE)):
        with ledger.engine.begin() as connection:
            connection.execute(update(unit_scores).values(content=content))
        (problem,) = audit(ledger).problems
        assert (problem.what, problem.runs) == (what, (run,))
        assert problem.where.startswith("scores of units ")


def test_some_runs_may_be_checked_alone(ledger, tmp_path):
    first, second = (run_with(ledger, tmp_path / name, units=True) for name in "ab")
    (tmp_path / "a" / "0.txt").write_text("other")
    assert audit(ledger, [second]).problems == ()
    assert (audit(ledger, [first]).files, audit(ledger, [first]).units) == (3, 1)
    with pytest.raises(SondeError, match="no run 9"):
        audit(ledger, [9])


def test_imported_runs_are_counted_where_their_folders_are_not_here(ledger, tmp_path):
    run_with(ledger, tmp_path / "a", units=True)
    export_runs(ledger.engine, tmp_path / "runs.jsonl")
    (tmp_path / "a").rename(tmp_path / "moved")
    other = Ledger.open(tmp_path / "other.sqlite")
    import_runs(other.engine, tmp_path / "runs.jsonl")
    found = audit(other)
    assert (found.problems, found.elsewhere, found.units) == ((), (1,), 1)


def test_a_store_is_checked_shard_by_shard(ledger, tmp_path):
    from sonde.activations import import_activations

    source, store = tmp_path / "a.npz", tmp_path / "a" / "activations"
    np.savez(source, ids=np.arange(6), layer_3=np.ones((6, 4), dtype=np.float32))
    import_activations(source, out=store)
    outputs = {"activations/manifest.json": sha256_file(store / "manifest.json")}
    run = ledger.begin_run(START)
    stage = ledger.begin_stage(run, StageStart("acts", "extract", "k", str(tmp_path / "a")))
    ledger.end_stage(stage, StageEnd("done", outputs=outputs))
    assert audit(ledger).problems == ()
    (shard,) = store.rglob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    (problem,) = audit(ledger).problems
    assert (problem.what, problem.where, problem.runs) == (CHANGED, str(shard), (run,))
    shard.unlink()
    assert [one.what for one in audit(ledger).problems] == [MISSING]
