"""Comparisons, elicited or read, become utilities and probes of them."""

import json
from pathlib import Path

import pytest
from scipy.stats import kendalltau

from sonde.cli.results import print_summary
from sonde.core.errors import SondeError
from sonde.data.comparisons import Comparison
from sonde.experiments.claims.checking import Setting, check_claims
from sonde.experiments.claims.specification import Superiority
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.experiments.stages.probe import ProbeStage
from sonde.experiments.stages.probe_ranking import RANKED
from sonde.experiments.stages.utilities import one_way
from sonde.ledger.ledger import Ledger
from sonde.ledger.units import read_scores
from sonde.probes.names import DIRECTION, SHUFFLED

FILE = """
name: preferences
question: What would it rather do?
model: {name: random:llama, check: false}
stages:
  tasks: {kind: data, path: tasks.csv}
  asked: {kind: elicit, data: tasks, question: "{a}|{b}?", pairs: 120, tie: 0}
  read: {kind: comparisons, path: pairs.csv}
  drawn: {kind: comparisons, path: ratings.csv, draw: {n: 50}}
  scores: {kind: utilities, data: tasks, comparisons: read}
  acts: {kind: extract, data: tasks, layers: [0, 2], template: none, positions: "prompt[-1]"}
  ridge:
    kind: probe
    activations: acts
    labels: scores
    rank_against: read
    method: {kind: ridge, folds: 3, shuffles: 1, directions: 1, resamples: 20}
  page: {kind: report, probes: [ridge]}
  pairs:
    kind: probe
    activations: acts
    labels: tasks
    comparisons: asked
    method: {kind: bradley_terry, folds: 3, shuffles: 2, directions: 2, resamples: 20}
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("preferences")
    names = [f"t{number:02d}" for number in range(24)]
    rows = [f"{name},{chr(97 + at) * (1 + at % 5)}" for at, name in enumerate(names)]
    (folder / "tasks.csv").write_text("id,prompt\n" + "\n".join(rows) + "\n")
    pairs = [f"{one},{other},{int(one < other)}" for one, other in
             zip(names, names[1:] + names[:1], strict=True)]  # fmt: skip
    (folder / "pairs.csv").write_text("a,b,choice\n" + "\n".join([*pairs, "t00,gone,1"]) + "\n")
    (folder / "ratings.csv").write_text('id,ratings\nt00,"[1, 2, 2]"\nt01,"[3]"\nt02,"[2, 4]"\n')
    (folder / "preferences.yaml").write_text(FILE)
    options = Options(out=folder / "runs", say=lambda _: None, progress=False)
    (report,) = run(read_specification(folder / "preferences.yaml", []), options)
    return report.finished


def test_elicited_comparisons_keep_both_orders(done):
    summary = done["asked"].summary
    assert (summary["n"], summary["items"]) == (120, 24)
    line = (done["asked"].folder / "comparisons.jsonl").read_text().splitlines()[0]
    row = json.loads(line)
    assert row["bias"] == pytest.approx(sum(row["log_odds"]) / 2)
    assert {"position_bias", "same_letter_both_orders", "share_of_answers"} <= summary.keys()
    assert not (done["asked"].folder / "answers.jsonl").exists()


def test_drawn_comparisons_are_of_the_rated_items(done):
    assert done["drawn"].summary["n"] == 50
    assert done["drawn"].open().items.tolist() == ["t00", "t01", "t02"]


def test_utilities_label_the_examples(done):
    summary = done["scores"].summary
    assert (summary["labelled"], summary["compared_without_example"]) == (24, 1)
    labels = {one.id: one.label for one in done["scores"].open()}
    assert labels["t00"] > labels["t05"] > labels["t20"]
    assert (
        summary["won_or_lost_all"] == 3
    )  # t00 beat t01, t23 and gone, of which the last two lost all
    assert done["ridge"].summary["n"] == 24


def test_items_whose_comparisons_all_went_one_way():
    won = [Comparison("a", "b", 1.0), Comparison("c", "b", 0.0), Comparison("d", "a", 0.5)]
    assert one_way(won, ["a", "b", "c", "d"]) == ["c"]


def test_a_ridge_probe_is_held_against_comparisons(done, capsys):
    summary = done["ridge"].summary
    scored = done["ridge"].open().selection.scored
    said = dict(zip(scored.example.tolist(), scored.predicted.tolist(), strict=True))
    pairs = [it for it in done["read"].open() if {it.first, it.second} <= said.keys()]
    right = [(said[it.first] > said[it.second]) == (it.outcome > 0.5) for it in pairs]
    assert summary["ranked_pairs"] == len(pairs) == 24
    assert summary["pair_accuracy"]["value"] == pytest.approx(sum(right) / 24)
    labels = {one.id: one.label for one in done["scores"].open()}
    order = sorted(said)
    tau = kendalltau([said[name] for name in order], [labels[name] for name in order])[0]
    assert summary["kendall_tau"]["value"] == pytest.approx(tau)
    print_summary("ridge", summary)
    assert "24 comparisons with a winner" in capsys.readouterr().out


def test_the_ledger_has_the_agreement_with_its_controls(done):
    summary, folder = done["ridge"].summary, done["ridge"].folder
    ledger = Ledger.open(folder.parents[2] / "ledger.sqlite")
    found = {one.name: one for one in ledger.show(1).results if one.stage == "ridge"}
    pairs, tau = found["pair_accuracy"], found["kendall_tau"]
    assert pairs.score is not None and tau.score is not None
    assert pairs.score.low == summary["pair_accuracy"]["low"] < pairs.score.value
    assert (tau.metric, tau.score.value) == ("kendall_tau", summary["kendall_tau"]["value"])
    assert (tau.status, pairs.status) != ("", "")
    assert set(pairs.controls) == {SHUFFLED, DIRECTION}
    assert set(pairs.baselines) == {"bag of tokens", "length"}
    assert pairs.score.value == read_scores(folder / RANKED, pairs.series, "mean").value
    assert "Ranking against comparisons" in (done["page"].folder / "report.html").read_text()
    for one in (*pairs.controls.values(), *pairs.baselines.values()):
        values = [read_scores(folder / RANKED, name, "mean").value for name in one.series]
        assert sum(values) / len(values) == pytest.approx(one.score.value)


def test_claims_may_speak_of_the_agreement():
    own = {"activations": "a", "labels": "l", "method": "ridge"}
    assert not ProbeStage(**own).result_names().has("pair_accuracy")  # pyright: ignore
    assert ProbeStage(**own, rank_against="c").result_names().has("pair_accuracy")  # pyright: ignore


def test_a_claim_on_tau_is_refused_with_what_can_be_claimed():
    stages = {"ridge": ProbeStage(activations="a", labels="l", rank_against="c", method="ridge")}  # pyright: ignore
    given = {"statement": "s", "kind": "superiority", "over": 0.5, "by": 0}
    setting = Setting(stages, {"": {}}, lambda path: ".".join(map(str, path)))

    def claimed(of):
        check_claims({"ranks": Superiority(of=of, **given)}, (), setting)  # pyright: ignore

    claimed("ridge.pair_accuracy")
    with pytest.raises(SondeError, match="one number of all units together") as refused:
        claimed("ridge.kendall_tau")
    assert "claims.ranks reads 'ridge.kendall_tau'" in str(refused.value)
    assert "Write ridge.pair_accuracy." in str(refused.value)
    check_claims({}, ("ridge.kendall_tau",), setting)  # a reference value needs no single units


def test_a_probe_of_comparisons_is_not_ranked_against_them():
    with pytest.raises(ValueError, match="rank_against is for probes"):
        ProbeStage(activations="a", comparisons="c", rank_against="c", method="bradley_terry")  # pyright: ignore


def test_a_bradley_terry_probe_has_its_controls(done):
    summary = done["pairs"].summary
    assert summary["metric"] == "accuracy"
    assert {SHUFFLED, DIRECTION} <= set(summary["controls"])
    assert len(summary["layers"]) == 2
    assert summary["n"] == 24
