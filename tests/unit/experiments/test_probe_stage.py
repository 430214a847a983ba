"""The probe stage: its controls and baselines in the summary, the ledger and the terminal."""

import pytest

from sonde.cli.results import print_summary
from sonde.core.errors import SondeError
from sonde.experiments.facts import Facts
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.experiments.stages.probe import ProbeStage
from sonde.experiments.stages.probe_results import UNITS
from sonde.ledger.ledger import Ledger
from sonde.ledger.units import read_scores, series_in
from sonde.stats.metrics import METRICS

UNTRAINED = (
    "stages.untrained={kind: extract, data: sentences, layers: [0, 1], template: none, "
    "model: {name: random:llama, seed: 7, check: false}}"
)


def ran(experiment, out, *overrides):
    spec = read_specification(experiment, ["model={name: random:llama, check: false}", *overrides])
    (report,) = run(spec, Options(out=out, progress=False))
    return report.finished["truth"]


@pytest.fixture
def finished(experiment, tmp_path):
    return ran(experiment, tmp_path / "runs", UNTRAINED, "truth.random_weights=untrained")


def test_the_summary_has_every_control_and_baseline(finished):
    summary = finished.summary
    assert set(summary["controls"]) == {"shuffled labels", "random direction", "random weights"}
    assert set(summary["baselines"]) == {"bag of tokens", "length"}
    assert summary["control"] == summary["controls"]["shuffled labels"]
    assert summary["baseline"] == summary["baselines"]["bag of tokens"]
    layer = summary["layers"]["blocks.1.resid_post"]
    assert set(layer["controls"]) == set(summary["controls"])
    assert {"value", "low", "high", "n"} <= set(layer)
    assert summary["confusion"]["labels"] == ["a", "b"]
    assert sum(map(sum, summary["confusion"]["counts"])) == summary["rows"]
    assert set(layer["confusion"]["recalls"]) == {"a", "b"}
    assert summary["missing"] == {}


def test_the_ledger_can_make_every_number_again(finished, tmp_path):
    detail = Ledger.open(tmp_path / "runs" / "ledger.sqlite").show(1)
    names = {result.name for result in detail.results}
    assert names == {"selected", "blocks.0.resid_post", "blocks.1.resid_post"}
    source = finished.folder / UNITS
    there = set(series_in(source))
    for result in detail.results:
        assert result.metric == "auroc"
        own = read_scores(source, result.series, result.metric)
        assert METRICS["auroc"].value(own.truth, own.predicted) == pytest.approx(result.score.value)
        for one in (*result.controls.values(), *result.baselines.values()):
            assert set(one.series) <= there
            again = [read_scores(source, name, result.metric) for name in one.series]
            values = [METRICS["auroc"].value(it.truth, it.predicted) for it in again]
            assert sum(values) / len(values) == pytest.approx(one.score.value)


def test_the_terminal_shows_them_and_what_is_missing(finished, experiment, tmp_path, capsys):
    print_summary("truth", finished.summary)
    shown = capsys.readouterr().out
    for name in ("shuffled labels", "random direction", "random weights", "bag of tokens"):
        assert name in shown
    bare = ran(
        experiment,
        tmp_path / "bare",
        "truth.method={kind: mean_difference, folds: 3, resamples: 20, baseline: false, "
        "shuffles: 0}",
    )
    print_summary("truth", bare.summary)
    shown = capsys.readouterr().out
    assert "bag of tokens: no baseline (switched off by baseline: false)" in shown
    assert "shuffled labels: no control (switched off by shuffles: 0)" in shown
    assert bare.summary["control"] is None
    assert bare.summary["baseline"] is None


def test_other_hook_points_are_no_control(experiment, tmp_path):
    with pytest.raises(SondeError, match=r"activations of random weights have no blocks.1"):
        ran(
            experiment,
            tmp_path / "runs",
            UNTRAINED.replace("[0, 1]", "[0]"),
            "truth.random_weights=untrained",
        )


def test_random_weights_are_an_input():
    stage = ProbeStage(activations="acts", labels="data", random_weights="untrained")
    assert [one.stage for one in stage.inputs()] == ["acts", "untrained", "data"]


def test_random_weights_cost_a_sweep_without_shuffles(experiment):
    spec = read_specification(experiment, ["model={name: random:llama, check: false}", UNTRAINED])
    (planned,) = spec.variants
    facts = Facts(planned, "float32")
    stage = ProbeStage(activations="acts", labels="sentences")
    more = stage.model_copy(update={"random_weights": "untrained"})
    alone, both = stage.estimate(facts), more.estimate(facts)
    assert alone.seconds < both.seconds < 2 * alone.seconds
