"""The plain curve over penalties: against scikit-learn, and from moments as from rows."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from planted import activations, as_examples, planted_numbers
from sonde.activations import extract, stream
from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.models.model import wrap
from sonde.models.tiny import tiny_hf
from sonde.models.tokenizers import byte_tokenizer
from sonde.probes import ridge
from sonde.probes.from_moments import ridge_from_stream
from sonde.probes.penalty_scores import FoldSums, ridge_scores
from sonde.probes.streamed_moments import parts
from sonde.stats import grouped_folds

PENALTIES = (0.1, 10.0, 1000.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model():
    return wrap(
        tiny_hf("llama", vocab_size=320),
        byte_tokenizer(320),
        name="tiny",
        revision="0",
        fingerprint="f" * 16,
    )


def sentences(count):
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        text = "x" + "".join(rng.choice(list("abcdefgh    "), rng.integers(3, 30)))
        label = text.count("a") + rng.normal()
        made.append(Example(id=f"s{number}", prompt=text, label=label, group=f"g{number // 2}"))
    return made


@pytest.mark.parametrize(("n", "d"), [(60, 8), (40, 60)])
def test_the_curve_is_that_of_a_grid_search(n, d):
    acts, y, _ = planted_numbers(n=n, d=d, layers=2)
    found = ridge_scores(acts, y, penalties=PENALTIES)
    folds = grouped_folds(np.arange(n).astype(str), 5)
    for place, curve, probe in zip(found.places, found.by_fold, found.probes, strict=True):
        x = acts.tensor(place.hook).double().numpy()
        search = GridSearchCV(
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": PENALTIES},
            cv=PredefinedSplit(folds),
        ).fit(x, y)
        np.testing.assert_allclose(curve.mean(axis=1), search.cv_results_["mean_test_score"])
        want = make_pipeline(StandardScaler(), Ridge(alpha=probe.penalty)).fit(x, y).predict(x)
        np.testing.assert_allclose(probe.score(torch.from_numpy(x)), want, rtol=1e-7, atol=1e-7)


def test_the_curve_is_the_one_that_ridge_reports():
    acts, y, _ = planted_numbers()
    whole = ridge(acts, y, penalties=PENALTIES, shuffles=0, directions=0)
    found = ridge_scores(acts, y, penalties=PENALTIES)
    for layer, curve, best in zip(whole.layers, found.r2, found.best, strict=True):
        assert [score for _, score in layer.by_penalty] == pytest.approx(curve.tolist())
        assert layer.penalty == PENALTIES[best]


def test_sums_worked_by_hand():
    # Targets 0, 2 | 4, 6 about 1, 5 and 3; residuals 1, 1 | 2, 0.
    residual = np.array([[[2.0], [4.0]]])
    sums = FoldSums.of(residual, np.array([[0.0], [2], [4], [6]]), np.array([0, 0, 1, 1]))
    assert sums.r2.tolist() == pytest.approx([1 - 6 / 20])
    assert sums.by_fold[0].tolist() == pytest.approx([1 - 2 / 2, 1 - 4 / 2])


@pytest.mark.parametrize("positions", ["prompt[-1]", ("prompt[-1]", "prompt.each")])
def test_a_stream_gives_the_answer_of_stored_activations(model, positions):
    data = sentences(40)
    how = {"positions": positions, "token_budget": 150}
    found = ridge_from_stream(stream(model, data, **how), data, penalties=PENALTIES)
    stored = ridge_scores(extract(model, data, **how), data, penalties=PENALTIES)
    assert found.places == stored.places
    np.testing.assert_allclose(found.r2, stored.r2, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.by_fold, stored.by_fold, rtol=1e-8, atol=1e-8)
    for one, other in zip(found.probes, stored.probes, strict=True):
        assert one.penalty == other.penalty
        torch.testing.assert_close(one.weight, other.weight, rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(one.scale, other.scale)


def test_several_targets_and_layers_in_turn(model):
    data = sentences(30)
    rng = np.random.default_rng(1)
    places = {one.id: (one.label, float(rng.normal())) for one in data}
    reading = stream(model, data)
    each = 5 * model.info.d_model**2 * 8
    assert [len(part) for part in parts(reading, 5, each)] == [1] * len(reading.hooks)
    assert parts(reading, 5, 1 << 30) == [reading.hooks]
    found = ridge_from_stream(reading, places, penalties=PENALTIES, memory=each)
    stored = ridge_scores(extract(model, data), places, penalties=PENALTIES)
    np.testing.assert_allclose(found.r2, stored.r2, rtol=1e-8, atol=1e-8)
    assert found.probes[0].weight.shape == (2, model.info.d_model)
    assert f"run {len(reading.hooks)} times" in found.warnings[-1]


def test_what_is_not_finite_is_named_and_the_other_layers_are_fitted():
    acts, y, _ = planted_numbers(layers=3)
    acts.tensors[acts.hooks[1]][4, 2] = torch.nan
    found = ridge_scores(acts, y, penalties=PENALTIES)
    assert [place.hook.layer for place in found.places] == [0, 2]
    assert "1 of 60 rows hold NaN" in found.failed[0].reason
    alone = activations([acts.tensor(acts.hooks[1])])
    with pytest.raises(SondeError, match="No layer could be probed"):
        ridge_scores(alone, y)


def test_labels_that_do_not_join_are_refused(model):
    acts, y, _ = planted_numbers()
    data = as_examples(acts, y)
    with pytest.raises(SondeError):
        ridge_from_stream(stream(model, sentences(20)), data)
