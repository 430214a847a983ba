"""Two-class probes from a stream are those of stored activations."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sonde.activations import extract, stream
from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.models.model import wrap
from sonde.models.tiny import tiny_hf
from sonde.models.tokenizers import byte_tokenizer
from sonde.probes.classes_from_moments import probes_from_stream
from sonde.probes.fitting import fit
from sonde.probes.lda_solver import lda_solver
from sonde.probes.mass_mean_solver import mass_mean_solver
from sonde.probes.mean_solver import mean_solver
from sonde.probes.pca_solver import pca_solver
from sonde.probes.problem import Problem
from sonde.probes.settings.discriminants import LdaSettings, MassMeanSettings, PcaSettings
from sonde.probes.settings.mean_difference import MeanDifferenceSettings


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model():
    hf = tiny_hf("llama", vocab_size=320)
    return wrap(hf, byte_tokenizer(320), name="tiny", revision="0", fingerprint="f" * 16)


def sentences(count):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("abcdefgh    "), rng.integers(3, 30))) for _ in range(count)]
    return [
        Example(id=f"s{number}", prompt=f"x{text}", label="many" if text.count("a") > 1 else "few")
        for number, text in enumerate(texts)
    ]


CASES = [
    (MeanDifferenceSettings(), mean_solver, {}),
    (MassMeanSettings(), mass_mean_solver, {}),
    (MassMeanSettings(shrinkage=0.1), mass_mean_solver, {"shrinkage": 0.1}),
    (LdaSettings(), lda_solver, {}),
    (LdaSettings(positive="few", shrinkage=0.3), lda_solver, {"shrinkage": 0.3}),
    (PcaSettings(), pca_solver, {}),
    (PcaSettings(centring="class", standardise=True), pca_solver,
     {"centring": "class", "standardise": True}),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "solver", "given"), CASES)
@pytest.mark.parametrize("count", [24, 60])  # below and above d_model, 32
def test_the_probe_is_the_one_of_stored_activations(model, settings, solver, given, count):
    data = sentences(count)
    how = {"positions": ("prompt[-1]", "prompt.mean"), "token_budget": 200, "layers": [0, 2]}
    found = probes_from_stream(stream(model, data, **how), data, settings).probes
    acts = extract(model, data, **how)
    positive = settings.positive or "many"
    assert [(str(one.hook), one.position) for one in found] == [
        (str(hook), position) for position in how["positions"] for hook in acts.hooks
    ]
    label = {one.id: float(one.label == positive) for one in data}
    for probe in found:
        rows = acts.rows.position == probe.position
        x = acts.tensor(probe.hook)[torch.from_numpy(rows)].double()
        y = torch.tensor([label[name] for name in acts.rows.example[rows]], dtype=torch.float64)
        (want,) = solver(Problem.plain(x[None], y), **given).final(torch.zeros(1))
        got = probe.reader
        torch.testing.assert_close(got(x), want(x), rtol=1e-7, atol=1e-8)
        torch.testing.assert_close(got.tensors()["scale"], want.scale, rtol=1e-9, atol=1e-12)
        assert probe.labels[1] == positive
        assert probe.n_rows == count
        assert probe.kind == settings.kind


def test_layers_in_turn_give_the_same_probes(model):
    data = sentences(40)
    reading = stream(model, data)
    together = probes_from_stream(reading, data, LdaSettings())
    in_turn = probes_from_stream(reading, data, LdaSettings(), memory=model.info.d_model**2 * 8)
    assert len(together.probes) == len(in_turn.probes) == len(reading.hooks)
    for one, other in zip(together.probes, in_turn.probes, strict=True):
        torch.testing.assert_close(one.weight, other.weight)
        assert one.metrics == other.metrics
    assert in_turn.warnings[-1] == "The layers took 3 turns, each of 3 runs of the model."


@pytest.mark.parametrize("settings", [MeanDifferenceSettings, MassMeanSettings, LdaSettings,
                                      PcaSettings])  # fmt: skip
def test_scores_out_of_fold_are_those_of_stored_activations(model, settings):
    data, own = sentences(60), settings(folds=4, resamples=20, shuffles=0, directions=0)
    how = {"positions": ("prompt[-1]", "prompt.mean"), "layers": [0, 2]}
    found = probes_from_stream(stream(model, data, **how), data, own)
    stored = fit(extract(model, data, **how), data, own)
    assert len(found.probes) == len(stored.layers) == 4
    for probe, scored, layer in zip(found.probes, found.scored, stored.layers, strict=True):
        assert (probe.hook, probe.position) == (layer.hook, layer.position)
        np.testing.assert_array_equal(scored.fold, layer.scored.fold)
        np.testing.assert_allclose(scored.predicted, layer.scored.predicted, atol=1e-6)
        np.testing.assert_allclose(scored.said, layer.scored.said, rtol=1e-6, atol=1e-7)
        assert probe.metrics == {name: layer.metrics[name] for name in own.metrics}
    assert found.join == stored.join


def test_a_layer_without_a_fit_leaves_the_others(model):
    """The embeddings of one last letter are the same in every row."""
    data = [replace(one, prompt=f"{one.prompt}.") for one in sentences(60)]
    reading = stream(model, data, hooks=("resid_pre", "resid_post"), layers=[0])
    found = probes_from_stream(reading, data, LdaSettings())
    assert [str(it.hook) for it in found.failed] == ["blocks.0.resid_pre"]
    assert "the same in every row" in found.failed[0].reason
    assert [str(it.hook) for it in found.probes] == ["blocks.0.resid_post"]


def test_a_stream_of_some_hook_points_refuses_others(model):
    reading = stream(model, sentences(5), layers=[0])
    assert reading.only(reading.hooks).hooks == reading.hooks
    other = stream(model, sentences(5), layers=[1]).hooks
    with pytest.raises(SondeError, match=r"does not read blocks\.1\.resid_post"):
        reading.only(other)
    with pytest.raises(SondeError, match="no hook point at all"):
        reading.only([])


def test_fewer_rows_than_coordinates_have_no_unshrunk_covariance(model):
    data = sentences(24)
    with pytest.raises(SondeError, match=r"No layer could be probed\. .*has no inverse in 32"):
        probes_from_stream(stream(model, data), data, LdaSettings(shrinkage=0.0))


def test_a_single_class_is_refused(model):
    data = [Example(id=str(n), prompt=f"text {n}", label="one") for n in range(6)]
    with pytest.raises(SondeError, match="1 class"):
        probes_from_stream(stream(model, data), data, PcaSettings())
