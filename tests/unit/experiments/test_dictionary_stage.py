"""The dictionary stage: from texts to dictionaries with held-out figures, samples and a table."""

import json

import numpy as np
import pytest
import torch

from sonde.core.errors import SondeError
from sonde.dictionaries.samples import load_samples
from sonde.dictionaries.training.trainer import Trainer
from sonde.experiments.hardware import named_hardware
from sonde.experiments.planning import plan
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.ledger.ledger import Ledger
from sonde.ledger.units import read_scores
from sonde.stats.scores import Scores

EXPERIMENT = """\
name: letters
model: {name: "random:llama", check: false}
stages:
  train:
    kind: dictionary
    corpus: {texts: texts, context: 16, held_out: 0.3, held_out_tokens: 1000, epochs: 3}
    dictionaries:
      sae: {sources: [blocks.1.resid_post], d_sae: 48, sparsity: {kind: topk, k: 4}}
      nested:
        sources: [blocks.1.hook_resid_mid]
        targets: [model.layers.1.mlp]
        groups: [16, 32]
        skip: true
        sparsity: {kind: batch_topk, k: 4}
    training: {lr: 0.01, warmup: 3}
    shuffle: {batch: 64, round_rows: 256}
    samples: {every: 5, per_latent: 4, show: 5}
    checkpoints: {every: 10, keep: 2}
    log: 10
claims:
  learns:
    statement: Training helps.
    kind: superiority
    of: train.sae
    over: train.sae/untrained
    by: 0
"""


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    (tmp_path / "texts").mkdir()
    for number in range(40):
        text = "".join(rng.choice(list("aaabbcd e"), 100 + number))
        (tmp_path / "texts" / f"f{number}.txt").write_text(text)
    path = tmp_path / "letters.yaml"
    path.write_text(EXPERIMENT)
    return path


def ran(experiment, *overrides, out="runs"):
    said: list[str] = []
    options = Options(out=experiment.parent / out, say=said.append, progress=False)
    (report,) = run(read_specification(experiment, overrides), options)
    return report.finished["train"], said


def test_texts_become_dictionaries_with_held_out_figures(experiment):
    finished, said = ran(experiment)
    summary = finished.summary
    assert set(summary["dictionaries"]) == {"sae", "nested"}
    assert summary["dictionaries"]["nested"]["kind"] == "Matryoshka skip transcoder"
    assert len(summary["dictionaries"]["nested"]["fvu_by_prefix"]) == 2
    assert (
        summary["dictionaries"]["sae"]["last"]["loss"]
        < summary["dictionaries"]["sae"]["first"]["loss"]
    )
    found = finished.open()
    dictionary, header = found.dictionary("nested")
    # Names of other libraries were resolved to sonde's own.
    assert header.architecture.sources == ("blocks.1.resid_mid",)
    assert header.architecture.targets == ("blocks.1.mlp_module_out",)
    assert header.trained["recipe"]["lr"] == 0.01
    figure = header.metrics["variance_explained"]
    told = summary["dictionaries"]["nested"]["variance_explained"]
    assert figure.value == told and figure.low < figure.value < figure.high
    assert found.samples("sae").accounting.sampled > 5
    collected = load_samples(finished.folder / "sae" / "samples_of_training")
    assert collected.source.part == "training"
    assert set(collected.samples["step"].to_pylist()) <= set(range(0, 200, 5))
    history = json.loads((finished.folder / "sae" / "history.json").read_text())
    assert [row["step"] for row in history][:3] == [0, 10, 20]
    assert summary["table"]["rows"][0][0] == "sae (SAE)"
    assert any("on held-out text" in line for line in said)
    # The saved dictionary takes raw activations: its figure is that of the units beside it.
    series = read_scores(finished.folder / "held_out.parquet", "nested", "ratio")
    assert isinstance(series, Scores) and series.value == pytest.approx(told)
    assert torch.allclose(dictionary.parts[0].decoder.norm(dim=1), torch.ones(48), atol=1e-4)


def test_results_and_claims_reach_the_ledger(experiment):
    ran(experiment)
    detail = Ledger.open(experiment.parent / "runs" / "ledger.sqlite").show(1)
    results = {one.name: one for one in detail.results}
    assert set(results) == {"sae", "nested"}
    assert set(results["sae"].controls) == {"untrained"}
    assert set(results["sae"].baselines) == {"linear map"}
    assert [one.name for one in detail.verdicts] == ["learns"]


def test_a_stage_that_was_stopped_goes_on_and_ends_alike(experiment, monkeypatch):
    whole, _ = ran(experiment)
    steps, taken = Trainer._step, []

    def stopping(self, batch):
        taken.append(self.done)
        if len(taken) == 34:
            raise KeyboardInterrupt
        return steps(self, batch)

    monkeypatch.setattr(Trainer, "_step", stopping)
    with pytest.raises(KeyboardInterrupt):
        ran(experiment, out="other")
    again, _ = ran(experiment, out="other")
    assert taken[34] == 30  # from the last checkpoint on
    for name in ("sae", "nested"):
        files = [one.open().file(name).read_bytes() for one in (whole, again)]
        assert files[0] == files[1]


def test_a_plan_counts_tokens_steps_and_bytes(experiment):
    (found,) = plan(read_specification(experiment), experiment.parent, named_hardware("h100"))
    estimate = found.stages[0].estimate
    assert estimate.tokens > 3000
    assert "steps of 2 dictionaries" in estimate.basis
    assert estimate.disk > 0 and estimate.memory > 0


def test_a_plan_counts_dense_latents_and_the_checkpoint_that_is_being_written(experiment):
    def estimated(*overrides):
        specification = read_specification(experiment, overrides)
        (found,) = plan(specification, experiment.parent, named_hardware("h100"))
        return found.stages[0].estimate

    sae = "stages.train.dictionaries.sae"
    wide = (f"{sae}.d_sae=100000", f"{sae}.sparsity.k=4")
    counted = estimated(*wide)
    dense = estimated(wide[0], f"{sae}.sparsity={{kind: relu}}")
    rows = 64 * 100_000 * 4  # of one tensor, batch x latents
    assert dense.memory - counted.memory > 2 * rows
    each = [estimated(*wide, f"stages.train.checkpoints.keep={n}").disk for n in (1, 2, 3)]
    assert each[1] - each[0] == each[2] - each[1] > 3 * 4 * 100_000 * 64
    assert each[0] > 2 * (each[1] - each[0])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("stages.train.dictionaries.sae.sparsity.k=100", "k is 100, and there are 48 latents"),
        ("stages.train.dictionaries.nested.d_sae=50", "the groups add up to 48"),
        ("stages.train.dictionaries.sae.skip=true", "`skip` would copy the input of an SAE"),
        ("stages.train.corpus.texts=nowhere", "does not exist"),
        ("stages.train.corpus.held_out=0", "scores need text that training never saw"),
        ("stages.train.training.optimiser={kind: muon}", "torch .* has no Muon"),
    ],
)
def test_mistakes_are_named_before_anything_runs(experiment, monkeypatch, override, said):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(SondeError, match=said):
        ran(experiment, override)


def test_too_little_text_is_named_with_what_there_is(experiment):
    with pytest.raises(SondeError, match=r"tokens.*\d"):
        ran(experiment, "stages.train.corpus.tokens=1000000")
    with pytest.raises(SondeError, match="a batch has 100,000"):
        ran(experiment, "stages.train.shuffle.batch=100000")
