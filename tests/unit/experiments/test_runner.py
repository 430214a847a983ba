import json

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.results import identify, verify
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.ledger.ledger import Ledger

FAST = ("model={name: random:llama, check: false}",)


class Bench:
    """Runs an experiment file into one folder, and keeps what was said."""

    def __init__(self, path, out):
        self.path, self.out, self.said = path, out, []

    def run(self, *overrides, force=()):
        spec = read_specification(self.path, [*FAST, *overrides])
        options = Options(out=self.out, force=force, say=self.said.append, progress=False)
        return run(spec, options)

    def states(self, *overrides, force=()):
        (report,) = self.run(*overrides, force=force)
        return {stage.name: stage.state for stage in report.stages}

    @property
    def ledger(self):
        return Ledger.open(self.out / "ledger.sqlite")


@pytest.fixture
def bench(experiment, tmp_path):
    return Bench(experiment, tmp_path / "runs")


ALL = {"sentences", "acts", "truth"}


def test_nothing_is_done_twice(bench):
    assert bench.states() == dict.fromkeys(ALL, "done")
    assert bench.states() == dict.fromkeys(ALL, "reused")
    assert [run.state for run in bench.ledger.list()] == ["done"]  # the second left no row


def test_a_change_redoes_what_depends_on_it(bench):
    bench.states()
    found = bench.states("truth.method.folds=4")
    assert found == {"sentences": "reused", "acts": "reused", "truth": "done"}
    assert bench.states() == dict.fromkeys(ALL, "reused")


def test_force_redoes_one_stage_and_gives_the_same_result(bench):
    (before,) = bench.run()
    marker = before.finished["truth"].folder / "done.json"
    content = marker.read_bytes()
    assert bench.states(force=("truth",)) == {
        "sentences": "reused",
        "acts": "reused",
        "truth": "done",
    }
    assert marker.read_bytes() == content
    with pytest.raises(SondeError, match="Did you mean 'truth'"):
        bench.run(force=("trut",))


def test_another_ledger_gets_the_results_of_what_was_done_before(bench):
    bench.states()
    before = bench.ledger.show(1).results
    for file in bench.out.glob("ledger.sqlite*"):
        file.unlink()
    assert bench.states(force=("sentences",))["truth"] == "reused"
    again = bench.ledger.show(1).results
    assert [(one.name, one.score) for one in again] == [(one.name, one.score) for one in before]
    assert bench.ledger.scores(again[0].id)[0].value == pytest.approx(before[0].score.value)


def test_a_gate_decides_on_earlier_results(bench):
    shut = bench.states("truth.when=acts.rows > 100")
    assert shut == {"sentences": "done", "acts": "done", "truth": "skipped"}
    assert "acts.rows > 100 does not hold (it is 24)" in bench.said[-1]
    assert bench.states("truth.when=acts.rows > 10")["truth"] == "done"
    detail = bench.ledger.show(1)
    assert [(stage["name"], stage["state"]) for stage in detail.stages][-1] == ("truth", "skipped")


def test_a_missing_file_is_named_before_any_stage_runs(bench):
    late = "stages.late={kind: comparisons, path: none.csv}"
    with pytest.raises(SondeError, match=r"stages\.late\.path: .*none\.csv does not exist"):
        bench.run(late)
    assert not list(bench.out.glob("*/*/*/done.json"))
    gated = "stages.late={kind: comparisons, path: none.csv, when: acts.rows > 100}"
    reads = "stages.fits={kind: utilities, data: sentences, comparisons: late}"
    found = bench.states(gated, reads)
    assert (found["late"], found["fits"], found["truth"]) == ("skipped", "skipped", "done")


def test_what_reads_a_skipped_stage_is_skipped_too(bench):
    found = bench.states("acts.when=sentences.n > 100")
    assert found == {"sentences": "done", "acts": "skipped", "truth": "skipped"}


def test_variants_of_a_sweep_share_what_does_not_differ(bench):
    reports = bench.run("sweep={seed: [0, 1], truth.method.folds: [3, 4]}")
    states = [{stage.name: stage.state for stage in report.stages} for report in reports]
    assert states[0] == dict.fromkeys(ALL, "done")
    assert states[1:] == [{"sentences": "reused", "acts": "reused", "truth": "done"}] * 3
    assert [run.variant for run in bench.ledger.list()][::-1] == [
        "seed=0, truth.method.folds=3",
        "seed=0, truth.method.folds=4",
        "seed=1, truth.method.folds=3",
        "seed=1, truth.method.folds=4",
    ]


def test_the_ledger_says_what_was_run(bench):
    bench.run()
    detail = bench.ledger.show(1)
    assert detail.run["spec_text"] == bench.path.read_text()
    assert detail.run["overrides"] == list(FAST)
    assert detail.run["resolved"]["stages"]["acts"]["too_long"] == "error"  # a default
    assert {"python", "torch", "sonde"} <= set(detail.run["versions"])
    assert detail.run["hardware"]["cores"] >= 1
    assert [stage["name"] for stage in detail.stages] == ["sentences", "acts", "truth"]
    assert detail.stages[1]["made_of"]["inputs"] == {"sentences": detail.stages[0]["key"]}
    assert detail.stages[0]["outputs"]["examples.jsonl"]
    assert detail.results[0].name == "selected"
    assert detail.results[0].score.n == 12
    assert "shuffled labels" in detail.results[0].controls


def test_a_failed_run_says_why_and_keeps_what_is_finished(bench):
    with pytest.raises(SondeError):
        bench.run("truth.labels=sentences", "sentences.columns.label=id")
    (row,) = bench.ledger.list()
    assert row.state == "failed"
    assert "class" in row.reason
    stages = {stage["name"]: stage["state"] for stage in bench.ledger.show(1).stages}
    assert stages == {"sentences": "done", "acts": "done", "truth": "failed"}


def test_moments_and_a_report_run_after_the_others(bench):
    more = (
        "stages.means={kind: moments, data: sentences, activations: acts}",
        "stages.massive={kind: massive_dimensions, data: sentences, ratio: 3, min_layers: 1}",
        "stages.tokens={kind: extract, data: sentences, positions: all, layers: [0, 1]}",
        "stages.page={kind: report, tokens: tokens}",
    )
    (report,) = bench.run(*more)
    assert {stage.state for stage in report.stages} == {"done"}
    page = report.finished["page"].open().read_text()
    assert "Does it work?" in page
    assert "token_view" in report.finished["page"].summary["sections"]
    # The model is loaded once: the stages that use it follow each other.
    assert sum(text.startswith("Loading") for text in bench.said) == 1


def test_a_report_does_without_a_skipped_stage(bench):
    (report,) = bench.run("truth.when=acts.rows > 100", "stages.page={kind: report}")
    states = {stage.name: stage.state for stage in report.stages}
    assert states["truth"] == "skipped"
    assert states["page"] == "done"


def test_imported_activations_feed_a_probe(bench, tmp_path):
    import numpy as np

    rng = np.random.default_rng(0)
    values = rng.normal(size=(24, 8)).astype(np.float32)
    ids = np.array([f"i{number}" for number in range(24)])
    np.savez(tmp_path / "made.npz", layer_3=values, ids=ids)
    (report,) = bench.run(
        "stages.old={kind: import, path: made.npz}",
        "stages.probe={kind: probe, activations: old, labels: sentences,"
        " method: {kind: mean_difference, folds: 3, resamples: 20}}",
    )
    assert report.finished["probe"].summary["best"]["hook"] == "blocks.3.resid_post"


@pytest.mark.parametrize("stage", ["sentences", "acts", "truth"])
def test_verify_finds_a_changed_byte_of_any_file(bench, stage):
    (report,) = bench.run()
    root = bench.out / "small"
    assert verify(root) == []
    assert identify(root).kind == "experiment"
    folder = report.finished[stage].folder
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
    for path in files:
        if path.name == "timing.json":
            continue  # holds no result
        content = path.read_bytes()
        changed = bytearray(content)
        changed[len(changed) // 2] ^= 4
        path.write_bytes(changed)
        assert verify(root), path
        path.write_bytes(content)
    assert verify(root) == []


def test_an_altered_marker_is_found(bench):
    (report,) = bench.run()
    marker = report.finished["truth"].folder / "done.json"
    content = json.loads(marker.read_text())
    content["summary"]["selected"]["value"] = 0.99
    marker.write_text(json.dumps(content))
    assert verify(bench.out / "small")
