"""Probes of classes from end to end: balance, separable and failing layers, calibration."""

import numpy as np
import pytest
import torch

from planted import activations, planted_classes
from sonde import probes
from sonde.core.errors import SondeError
from sonde.probes import likelihood_solver, newton
from sonde.probes.class_balance import row_weights
from sonde.probes.logistic_solver import logistic_solver
from sonde.probes.multinomial_solver import multinomial_solver
from sonde.probes.problem import Problem
from sonde.probes.settings.balance import Inverse

QUICK = {
    "folds": 3,
    "shuffles": 1,
    "directions": 1,
    "resamples": 20,
    "penalties": (1.0, 100.0),
    "baseline": False,
}


def three_classes(n=90, d=8):
    rng = np.random.default_rng(0)
    label = np.array(["a", "b", "c"])[np.arange(n) % 3]
    signal = 2 * np.eye(d)[np.arange(n) % 3]
    return activations([rng.normal(size=(n, d)), rng.normal(size=(n, d)) + signal]), label


def test_several_classes_are_told_apart_where_they_differ():
    acts, label = three_classes()
    found = probes.multinomial(acts, label, **QUICK)
    noise, signal = found.layers
    assert signal.score.value > 0.8
    assert noise.score.value < 0.55
    assert signal.probe.weight.shape == (3, 8)
    assert signal.controls["shuffled labels"].score.value < 0.55


@pytest.mark.parametrize("balance", ["square_root", "inverse", "resample"])
def test_a_balance_raises_the_recall_of_the_rarer_class(balance):
    rng = np.random.default_rng(1)
    label = np.arange(200) % 8 == 0
    acts = activations([rng.normal(size=(200, 6)) + 0.7 * label[:, None]])
    plain, balanced = (
        probes.logistic(acts, label.astype(int), balance=how, metric="balanced_accuracy", **QUICK)
        for how in ("none", balance)
    )
    said = [one.layers[0].scored.said[label] > 0 for one in (plain, balanced)]
    assert said[1].mean() > said[0].mean() + 0.1
    assert balanced.layers[0].score.value > plain.layers[0].score.value


def test_separable_classes_are_said_to_be_and_stay_finite():
    acts, label, _ = planted_classes(n=46, d=60, layers=1)
    found = probes.logistic(acts, label, **{**QUICK, "penalties": (1e-8, 1e-4, 1.0)})
    (layer,) = found.layers
    assert any("perfectly separated" in warning for warning in layer.warnings)
    assert torch.isfinite(layer.probe.weight).all()
    assert np.isfinite(layer.scored.said).all()


def test_a_fit_that_does_not_converge_fails_its_layer_alone(monkeypatch):
    """At a tiny penalty noise takes five steps; classes that are separable take fifteen."""
    rng = np.random.default_rng(0)
    label = np.arange(240) % 2
    signal = rng.normal(size=(240, 4)) + 6.0 * label[:, None]
    acts = activations([signal, rng.normal(size=(240, 4))])
    settings = {**QUICK, "penalties": (1e-4,), "shuffles": 0}
    whole = probes.logistic(acts, label, **settings)
    assert not whole.failed
    monkeypatch.setattr(newton, "NEWTON_STEPS", 10)
    found = probes.logistic(acts, label, **settings)
    assert [one.hook.layer for one in found.failed] == [0]
    assert "did not converge at penalty 0.0001" in found.failed[0].reason
    assert [one.hook.layer for one in found.layers] == [1]
    np.testing.assert_allclose(found.layers[0].scored.said, whole.layers[1].scored.said, atol=1e-6)


def test_layers_on_threads_are_the_layers_together(monkeypatch):
    rng = np.random.default_rng(2)
    x = torch.from_numpy(rng.normal(size=(3, 60, 70)))
    y = torch.from_numpy(rng.integers(0, 3, 60)).double()
    problem = Problem.plain(x, y, torch.arange(60) % 3)
    together = multinomial_solver(problem, 3).held_out((1,), (0.1, 10.0))
    monkeypatch.setattr(likelihood_solver, "CACHED", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        apart = multinomial_solver(problem, 3).held_out((1,), (0.1, 10.0))
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(together, apart, atol=1e-6)


def test_coefficients_are_those_of_the_predictions():
    rng = np.random.default_rng(3)
    x = torch.from_numpy(rng.normal(size=(2, 90, 5)))
    y = torch.from_numpy(rng.integers(0, 2, size=(90, 3))).double()
    folds = torch.arange(90) % 3
    weights = row_weights(Inverse(), np.arange(90), 0)
    solver = logistic_solver(Problem.plain(x, y, folds), weights)
    said = solver.held_out((0,), (0.1, 10.0))
    found = solver.coefficients((0,), (0.1, 10.0))
    train = folds != 0
    mean, scale = x[:, train].mean(dim=1), x[:, train].std(dim=1, correction=0)
    z = ((x - mean[:, None]) / scale[:, None])[:, ~train]
    want = torch.einsum("lprod,lhd->lphro", found[..., :-1], z) + found[:, :, None, ..., -1]
    np.testing.assert_allclose(said, want, atol=1e-12)


def test_a_selections_chances_can_be_judged():
    acts, label, _ = planted_classes(n=120)
    found = probes.logistic(acts, label, **QUICK)
    judged = probes.calibration(found.selection.scored)
    assert sum(one.n for one in judged.own.bins) == 120
    assert judged.with_temperature.loss.value < np.log(2)
    with pytest.raises(SondeError, match="two classes"):
        several, names = three_classes()
        probes.calibration(probes.multinomial(several, names, **QUICK).layers[0].scored)


@pytest.mark.parametrize("kind", [probes.logistic, probes.ridge, probes.lda, probes.pca])
@pytest.mark.parametrize("wide", [False, True])
def test_a_layer_whose_squares_overflow_fails_alone(kind, wide):
    acts, label, _ = planted_classes(n=60, d=70 if wide else 10)
    there = {hook: acts.tensor(hook).double() for hook in acts.hooks}
    there[acts.hooks[0]] *= 1e200
    own = {"shrinkage": "ledoit_wolf"} if kind is probes.lda else {}
    quick = {name: value for name, value in QUICK.items() if name != "penalties"} | own
    found = kind(type(acts)(there, acts.rows, acts.origin), label, **quick)
    assert [layer.hook for layer in found.layers] == list(acts.hooks[1:])
    assert found.failed[0].reason.startswith("Its activations are so large")
