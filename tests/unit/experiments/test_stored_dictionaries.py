"""Dictionaries trained on activations of an extract stage: held-out groups, texts, estimates."""

import json

import numpy as np
import pytest

from sonde.core.errors import SondeError
from sonde.dictionaries.samples.browsing import browse
from sonde.experiments.hardware import named_hardware
from sonde.experiments.planning import plan
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification

EXPERIMENT = """\
name: stored
model: {name: "random:llama", check: false}
stages:
  data: {kind: data, path: letters.jsonl}
  acts:
    kind: extract
    data: data
    hooks: [blocks.1.resid_mid, blocks.1.mlp_out]
    positions: all
    template: none
  train:
    kind: dictionary
    activations: {stage: acts, held_out: 0.3, epochs: 2}
    dictionaries:
      sae: {sources: [blocks.1.resid_mid], targets: [blocks.1.mlp_out], d_sae: 24,
            sparsity: {kind: topk, k: 4}}
    training: {lr: 0.01}
    shuffle: {batch: 32, round_rows: 256}
    samples: {per_latent: 4, show: 8, threshold: 0.001}
    checkpoints: {every: 10}
    log: 5
  report: {kind: report}
"""


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    rows = [
        {"text": "".join(rng.choice(list("aaabbcd e"), 30)), "group": f"t{number % 12}"}
        for number in range(48)
    ]
    (tmp_path / "letters.jsonl").write_text("\n".join(map(json.dumps, rows)))
    path = tmp_path / "stored.yaml"
    path.write_text(EXPERIMENT)
    return path


def ran(experiment, *overrides):
    said: list[str] = []
    options = Options(out=experiment.parent / "runs", say=said.append, progress=False)
    (found,) = run(read_specification(experiment, overrides), options)
    return found.finished, said


def test_stored_rows_become_a_dictionary_with_texts_of_held_out_groups(experiment):
    finished, _ = ran(experiment)
    store, summary = finished["acts"].open(), finished["train"].summary
    stored = summary["stored"]
    assert stored["rows"] == len(store) == stored["train"] + stored["held_out"] + stored["first"]
    assert stored["first"] == 48  # a token of each text
    assert summary["rows"] == 2 * stored["train"] // 32 * 32 or summary["rows"] > stored["train"]
    samples = finished["train"].open().samples("sae")
    assert samples.accounting.rows <= stored["held_out"]
    shown = [one for number in browse(samples, 3) for one in samples.contexts(number)]
    texts = {str(one.prompt) for one in finished["data"].open()}
    assert shown and all(any("".join(one.pieces) in text for text in texts) for one in shown)
    _, header = finished["train"].open().dictionary("sae")
    assert header.trained["stored"] == "acts" and header.origin.model == "random:llama"
    page = finished["report"].open().read_text()
    assert "What became of the stored rows" in page and "Training" in page
    assert "<dt>Stored rows of</dt><dd>acts</dd>" in page


def test_a_position_alone_serves_without_texts(experiment):
    finished, said = ran(
        experiment, "stages.acts.positions=prompt[-3:].each", "stages.train.shuffle.batch=16"
    )
    assert any("acts keeps no texts for all of the held-out rows" in line for line in said)
    samples = finished["train"].open().samples("sae")
    assert samples.accounting.texts == 0 and samples.accounting.sampled > 0


def test_a_plan_counts_the_rows_that_will_be_stored(experiment):
    (found,) = plan(read_specification(experiment), experiment.parent, named_hardware("h100"))
    (stage,) = [one for one in found.stages if one.name == "train"]
    estimate = stage.estimate
    assert "stored rows, 2 times" in estimate.basis and estimate.tokens == 0
    assert estimate.flops > 0 and estimate.memory > 0


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("stages.train.corpus=texts", "`activations`, an extract stage, and not both"),
        ("stages.train.activations=data", "gives examples, not activations"),
        ("stages.train.dictionaries.sae.sources=[blocks.0.resid_mid]", "names block 0"),
        ("stages.train.activations.held_out=1", "less than 1"),
        ("stages.train.activations.held_out=0.0001", "of the store .* is held out"),
        ("stages.train.dictionaries.sae.sources=[model.layers.1.mlp]", "is not a hook point"),
    ],
)
def test_mistakes_are_named(experiment, override, said):
    with pytest.raises(SondeError, match=said):
        ran(experiment, override)


def test_a_reconstruction_of_stored_rows_needs_texts(experiment):
    check = "\n  check: {kind: reconstruction, dictionary: train}\n"
    text = experiment.read_text()
    experiment.write_text(text.replace("\n  report:", check + "  report:"))
    with pytest.raises(SondeError, match="were trained on stored activations"):
        ran(experiment)
