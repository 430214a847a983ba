"""A probe of the experiment as the judge of its answers, in ``steer`` and in ``responses``."""

import json

import numpy as np
import pytest

from sonde.core.errors import SondeError
from sonde.experiments.places import check_places
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.judges import ProbeJudgeSettings, judge_of
from sonde.models.loading import load
from sonde.models.spec import ModelSpec
from sonde.steering.judging_by_probe import probe_judge

EXPERIMENT = """\
name: lively
model: {name: random:llama, check: false}
stages:
  answers: {kind: responses, trait: lively, longest_window: 2, least_distinct: 0}
  acts: {kind: extract, data: answers, layers: [0, 1], template: none, positions: 'response.mean'}
  massive: {kind: massive_dimensions, data: answers, layers: [0, 1], template: none}
  truth:
    {kind: probe, activations: acts, labels: answers,
     method: {kind: logistic, penalties: [1.0], folds: 3, shuffles: 0, directions: 0,
              baseline: false}}
  vectors:
    {kind: vectors, activations: acts, labels: answers, massive: massive, trait: lively,
     methods: [mean_difference], folds: 3}
  steer:
    kind: steer
    vectors: vectors
    trait: lively
    compare: [mean_difference]
    judge: {kind: probe, probe: truth, at: 1}
    search:
      {max_new_tokens: 4, points: 1, refinements: 0, room: 0, folds: 2, template: none,
       limit: {kind: perplexity, times: 20}, towards: less,
       screen: {questions: 1, tokens: 2, halvings: 1, lowest: 0.25, highest: 8}}
  again:
    {kind: responses, trait: lively, longest_window: 2, least_distinct: 0, least: 1,
     judge: {kind: probe, probe: truth}}
"""

MODEL = ModelSpec(name="random:llama", check=False)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    base = tmp_path_factory.mktemp("lively")
    trait = base / "lively"
    trait.mkdir()
    things = ("bread", "rain", "a chair", "the sea", "a map", "old boots")
    for side, words in (("positive", "Oh how I love {}! It is great!"), ("negative", "It is {}.")):
        rows = [{"prompt": f"About {it}?", "response": words.format(it)} for it in things]
        (trait / f"{side}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (trait / "steering.json").write_text(json.dumps(["What is rope?", "What is dew?"]))
    path = base / "experiment.yaml"
    path.write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="module")
def finished(file, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    (found,) = run(read_specification(file), Options(out=out, say=lambda _: None, progress=False))
    return found.finished


def test_a_search_is_scored_by_the_probe_of_the_block(finished):
    found = finished["steer"].open()
    assert np.isfinite(found.answers.trait).all()
    assert np.ptp(found.answers.trait) > 0
    probes = finished["truth"].open()
    probe = next(one.probe for one in probes.layers if one.hook.layer == 1)
    assert probe.labels == ("negative", "positive")
    assert found.judges["trait"]["identity"] == probe_judge(probe, load(MODEL)).key()["identity"]


def test_responses_are_vetted_by_the_best_probe(finished):
    summary = finished["again"].summary
    best = finished["truth"].open().best
    assert summary["vetted_by"] == f"logistic probe of {best.hook}"
    assert summary["threshold"] == 50
    assert summary["labels"] == {"positive": 6, "negative": 6}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("steer.judge.probe=acts", r"steer\.judge\.probe names 'acts', which gives activations"),
        ("again.judge.probe=trut", r"'trut', which is not a stage\. Did you mean 'truth'"),
        ("truth.method={kind: mean_difference, folds: 3}", r"`judge` names 'truth', .* no prob"),
        ("steer.judge.at=7", r"steer names block 7, which truth does not read"),
        ("again.judge.at=2", r"again names block 2, which truth does not read"),
    ],
)
def test_what_cannot_judge_is_refused_before_anything_runs(file, override, message):
    with pytest.raises(SondeError, match=message):
        check_places(read_specification(file, [f"stages.{override}"]))


def test_a_probe_alone_is_no_judge_without_its_experiment():
    with pytest.raises(SondeError, match="reads the probe stage 'truth' of an experiment"):
        judge_of(ProbeJudgeSettings(probe="truth"), "trait")
