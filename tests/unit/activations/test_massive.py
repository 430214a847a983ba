"""Massive dimensions: planted ones, against exact medians, in memory and run again."""

import numpy as np
import pytest
import torch
from tiny_runs import sentences, tiny_model

from sonde.activations import extract, massive_dimensions, stream
from sonde.activations.massive import MassiveDimensions
from sonde.activations.survey import Kept
from sonde.core.errors import SondeError

MASSIVE, MILD = 7, 20


@pytest.fixture(scope="module")
def planted():
    """A model of four blocks whose embeddings hold two large coordinates, and a sink token.

    The byte ``x`` begins every sentence; its embedding is 60 times larger, so that it is a sink by
    its norm though it is no BOS and, behind the chat template, not first.
    """
    model = tiny_model(seed=5)
    weight = model.hf.get_input_embeddings().weight
    sink = model.tokenizer.convert_tokens_to_ids("x")
    unit = weight.std().item()
    with torch.no_grad():
        weight[:, MASSIVE] = 2000 * unit
        weight[:, MILD] = 200 * unit * torch.linspace(0.8, 1.2, len(weight))
        weight[sink] *= 60
    return model


@pytest.fixture(scope="module")
def texts():
    return sentences(60, seed=2)


@pytest.fixture(scope="module")
def report(planted, texts) -> MassiveDimensions:
    return massive_dimensions(planted, texts)


def exact(planted, texts):
    """Ratios, ordinary tokens and norms by numpy, from the definition."""
    found = extract(planted, texts, positions="all")
    x = np.stack([found.tensor(hook).double().numpy() for hook in found.hooks])
    norms = np.linalg.norm(x, axis=2)
    sink = (norms >= 10 * np.median(norms, axis=1, keepdims=True)).sum(0) >= 3
    medians = np.median(np.abs(x[:, ~sink]), axis=1)
    return found, x, sink, medians / np.median(medians, axis=1, keepdims=True)


def test_planted_dimensions_are_found_with_their_ratios(planted, texts, report):
    _, _, sink, ratios = exact(planted, texts)
    assert report.indices == (MASSIVE, MILD)
    assert [each.severe for each in report.dimensions] == [True, False]
    for each in report.dimensions:
        assert each.layers == (0, 1, 2)
        assert np.array(each.ratios) == pytest.approx(ratios[:, each.dimension], rel=0.02)
    assert report.n_sinks == sink.sum() >= len(texts)
    assert report.n_tokens == len(sink)


def test_no_other_dimension_reaches_the_ratio_exactly_either(planted, texts, report):
    _, _, _, ratios = exact(planted, texts)
    assert set(np.flatnonzero((ratios >= 10).sum(0) >= 3)) == set(report.indices)


def test_norms_are_medians_over_ordinary_tokens(planted, texts, report):
    _, x, sink, _ = exact(planted, texts)
    for layer, norms in enumerate(report.norms):
        full = np.linalg.norm(x[layer, ~sink], axis=1)
        cleaned = np.linalg.norm(np.delete(x[layer, ~sink], [MASSIVE, MILD], axis=1), axis=1)
        assert norms.full_norm == pytest.approx(np.median(full), rel=0.01)
        assert norms.typical_norm == pytest.approx(np.median(cleaned), rel=0.01)
        assert report.typical_norm(norms.layer) == norms.typical_norm
        assert norms.sink_ratio == pytest.approx(
            np.linalg.norm(x[layer, sink], axis=1).mean() / np.median(full), rel=0.01
        )
    with pytest.raises(SondeError, match="layer 9"):
        report.typical_norm(9)


def test_sinks_are_found_by_norm_wherever_they_stand(report):
    first = report.sinks[0]
    assert first.text == "x" and first.position > 0
    assert first.count == 60 and first.ratio > 10


def test_where_a_dimension_is_large(planted, texts, report):
    found, x, _, _ = exact(planted, texts)
    massive = report.dimensions[0]
    own = np.abs(x[report.layers.index(massive.peak_layer), :, MASSIVE])
    place = found.rows.token
    expected = [own[place == 0].mean(), own[(place > 0) & (place < 10)].mean()]
    assert [massive.at_first, massive.at_early] == pytest.approx(expected, rel=1e-4)
    assert massive.at_later == pytest.approx(own[place >= 10].mean(), rel=1e-4)
    top = massive.largest[0]
    row = int(own.argmax())
    assert top.magnitude == pytest.approx(own[row], rel=1e-4)
    assert (top.token_id, top.position) == (found.rows.token_id[row], found.rows.token[row])


def test_running_again_equals_keeping(planted, texts, report):
    again = massive_dimensions(planted, texts, keep_bytes=0, token_budget=500)
    assert again.indices == report.indices
    for one, other in zip(again.dimensions, report.dimensions, strict=True):
        assert one.ratios == pytest.approx(other.ratios, rel=0.01)
    assert again.n_sinks == report.n_sinks


def test_a_wrong_prediction_is_mended(planted, texts, report, monkeypatch):
    from sonde.activations import massive

    real, calls = massive._massive, []

    def first_wrong(ratios, settings):
        calls.append(1)
        return (3,) if len(calls) == 1 else real(ratios, settings)

    monkeypatch.setattr(massive, "_massive", first_wrong)
    assert massive_dimensions(planted, texts) == report
    assert len(calls) == 3


def test_settings_move_the_limits(planted, texts):
    assert massive_dimensions(planted, texts, ratio=150).indices == (MASSIVE,)
    assert massive_dimensions(planted, texts, min_layers=4).indices == ()
    few = massive_dimensions(planted, texts, layers=[0, 1], min_layers=2)
    assert few.layers == (0, 1) and len(few.dimensions[0].ratios) == 2
    with pytest.raises(SondeError, match="Did you mean 'sink_ratio'"):
        massive_dimensions(planted, texts, sink_ration=3)


def test_a_plain_model_has_none(texts):
    found = massive_dimensions(tiny_model(), texts)
    assert found.indices == ()
    assert found.norms[0].typical_norm == pytest.approx(found.norms[0].full_norm)


def test_kept_batches_are_run_once(planted, texts):
    batches = stream(planted, texts, positions="all", token_budget=500)
    kept = Kept(batches)
    first = [id(batch) for batch in kept]
    assert [id(batch) for batch in kept] == first


def test_a_report_survives_its_file(tmp_path, report):
    report.save(tmp_path / "massive.json")
    assert MassiveDimensions.load(tmp_path / "massive.json") == report
