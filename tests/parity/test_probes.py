"""Probes and metrics against scikit-learn, written out plainly with the same folds."""

import numpy as np
import pytest
import torch
from sklearn import metrics as peer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from planted import activations, planted_classes, planted_numbers
from sonde import probes
from sonde.activations.moments import mean_difference as from_moments
from sonde.activations.moments import stream_moments
from sonde.probes.logistic_solver import logistic_solver
from sonde.probes.problem import Problem
from sonde.probes.ridge_solver import CoordinateSide, RowSide, ridge_solver
from sonde.stats import accuracy, auroc, balanced_accuracy, grouped_folds, r2

PENALTIES = (0.1, 10.0, 1000.0)


def spread(rng, layers, n, d):
    """Activations of unequal scales and means, with correlated, one constant and one huge."""
    x = rng.normal(size=(layers, n, d)) @ rng.normal(size=(d, d))
    x = x * np.geomspace(0.01, 10, d) + rng.normal(size=d)
    x[:, :, 1] = 0.1
    x[:, :, 2] = 5e3 + 200 * rng.normal(size=(layers, n))
    return torch.from_numpy(x)


def peer_ridge(penalty):
    return make_pipeline(StandardScaler(), Ridge(alpha=penalty))


def peer_logistic(penalty, tol=1e-10):
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=1 / penalty, tol=tol, max_iter=10_000)
    )


@pytest.mark.parametrize(("n", "d", "side"), [(40, 60, RowSide), (90, 20, CoordinateSide)])
def test_ridge_predictions(n, d, side):
    rng = np.random.default_rng(0)
    x, y = spread(rng, 2, n, d), torch.from_numpy(rng.normal(5, 2, size=(n, 2)))
    folds = grouped_folds(np.arange(n), 4)
    solver = ridge_solver(Problem.plain(x, y, torch.from_numpy(folds)))
    assert isinstance(solver.side, side)
    for left_out in [(1,), (0, 3)]:
        got = solver.held_out(left_out, PENALTIES).numpy()
        held = np.isin(folds, left_out)
        for layer, activation in enumerate(x.numpy()):
            for number, penalty in enumerate(PENALTIES):
                want = (
                    peer_ridge(penalty).fit(activation[~held], y[~held]).predict(activation[held])
                )
                np.testing.assert_allclose(got[layer, number, :, :, 0], want, rtol=1e-6, atol=1e-6)
    final = solver.final(torch.tensor([0.1, 10.0]))
    for layer, penalty in enumerate([0.1, 10.0]):
        want = peer_ridge(penalty).fit(x[layer], y[:, 0]).predict(x[layer])
        got = final[layer](x[layer])[:, 0]
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("n", "d"), [(40, 60), (90, 20)])
def test_logistic_coefficients_and_objective(n, d):
    rng = np.random.default_rng(1)
    x = spread(rng, 3, n, d)
    y = np.tile([0.0, 1.0], n // 2)
    x[1, :, 3:] += torch.from_numpy(y)[:, None]  # separable; the others are not, for n > d
    folds = torch.from_numpy(grouped_folds(np.arange(n), 4))
    solver = logistic_solver(Problem.plain(x, torch.from_numpy(y), folds))
    for penalty in (0.01, 1.0, 300.0):
        found = solver.final(torch.full((3,), penalty))
        for layer in range(3):
            z = StandardScaler().fit_transform(x[layer])
            model = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=100_000).fit(z, y)
            ours = (found[layer].weight[0] * found[layer].scale).numpy()
            bias = float(found[layer].bias + found[layer].weight @ found[layer].mean)
            np.testing.assert_allclose(ours, model.coef_[0], atol=2e-5, rtol=1e-4)
            own, theirs = (
                np.logaddexp(0, z @ w + b).sum() - y @ (z @ w + b) + penalty / 2 * w @ w
                for w, b in ((ours, bias), (model.coef_[0], model.intercept_[0]))
            )
            assert own <= theirs * (1 + 1e-9)
            slope = z.T @ (1 / (1 + np.exp(-(z @ ours + bias))) - y) + penalty * ours
            assert np.abs(slope).max() < 1e-7


def test_the_sweeps_logits_are_near_the_optimum():
    """The looser tolerance of cross-validation does not show in its predictions."""
    rng = np.random.default_rng(2)
    x = spread(rng, 1, 60, 80)
    y = np.tile([0.0, 1.0], 30)
    x[0, :, 5:9] += 0.5 * torch.from_numpy(y)[:, None]
    folds = grouped_folds(np.arange(60), 4, classes=y)
    solver = logistic_solver(Problem.plain(x, torch.from_numpy(y), torch.from_numpy(folds)))
    got = solver.held_out((2,), PENALTIES).numpy()[0, :, :, 0, 0]
    held = folds == 2
    for number, penalty in enumerate(PENALTIES):
        model = peer_logistic(penalty).fit(x[0][~held], y[~held])
        want = model.decision_function(x[0][held])
        np.testing.assert_allclose(got[number], want, atol=1e-3, rtol=1e-3)


def test_the_controls_looser_tolerance_does_not_show_in_their_scores():
    """The same labels, first as labels and then as a shuffle, give the same score."""
    rng = np.random.default_rng(5)
    x = spread(rng, 2, 90, 120)
    y, other = rng.integers(0, 2, 90).astype(float), rng.integers(0, 2, 90).astype(float)
    folds = grouped_folds(np.arange(90), 3)
    held = folds == 0
    exact, loose = (
        logistic_solver(Problem.plain(x, torch.from_numpy(columns), torch.from_numpy(folds)))
        .held_out((0,), PENALTIES)
        .numpy()[..., 0]
        for columns in (y[:, None], np.stack([other, y], axis=1))
    )
    want, got = auroc(y[held], exact[..., 0]), auroc(y[held], loose[..., 1])
    np.testing.assert_allclose(got, want, atol=0.01)
    assert np.abs(exact[..., 0] - loose[..., 1]).max() > 0  # it is looser


def plainly_nested(layers, y, folds, fit, predict, score):
    """Choose penalty (and layer) by inner folds; return each layer's and the choice's scores."""
    held_out = np.zeros((len(layers), len(y)))
    best = np.zeros((len(layers), 5))
    for outer in range(5):
        train = folds != outer
        for layer, x in enumerate(layers):
            inner = []
            for penalty in PENALTIES:
                guess = np.zeros(len(y))
                for fold in set(range(5)) - {outer}:
                    fitted = fit(penalty).fit(
                        x[train & (folds != fold)], y[train & (folds != fold)]
                    )
                    guess[folds == fold] = predict(fitted, x[folds == fold])
                inner.append(score(y[train], guess[train]))
            choice = PENALTIES[int(np.argmax(inner))]
            best[layer, outer] = max(inner)
            said = predict(fit(choice).fit(x[train], y[train]), x[~train])
            held_out[layer, ~train] = said / (
                np.sqrt(np.mean(said**2)) if score is peer.roc_auc_score else 1
            )
    winner = best.argmax(axis=0)
    chosen = held_out[winner[folds], np.arange(len(y))]
    return [score(y, one) for one in held_out], score(y, chosen), winner


def test_nested_ridge_equals_the_plain_loop():
    acts, y, _ = planted_numbers(n=60, d=8, layers=3, seed=3)
    found = probes.ridge(acts, y, penalties=PENALTIES)
    folds = grouped_folds(np.arange(60).astype(str), 5)
    layers = [acts.tensor(hook).double().numpy() for hook in acts.hooks]
    scores, chosen, winner = plainly_nested(
        layers, y, folds, peer_ridge, lambda model, x: model.predict(x), peer.r2_score
    )
    assert [layer.score.value for layer in found.layers] == pytest.approx(scores, abs=1e-6)
    assert found.selected.value == pytest.approx(chosen, abs=1e-6)
    assert [hook.layer for hook in found.selected_hooks] == winner.tolist()


def test_nested_logistic_equals_the_plain_loop():
    acts, label, _ = planted_classes(n=60, d=12, strength=1.5, layers=3, pairs=True, seed=4)
    found = probes.logistic(acts, label, penalties=PENALTIES)
    folds = grouped_folds(acts.rows.group, 5, classes=label)
    layers = [acts.tensor(hook).double().numpy() for hook in acts.hooks]
    scores, chosen, winner = plainly_nested(
        layers,
        label,
        folds,
        peer_logistic,
        lambda model, x: model.decision_function(x),
        peer.roc_auc_score,
    )
    assert [layer.score.value for layer in found.layers] == pytest.approx(scores, abs=1e-6)
    assert found.selected.value == pytest.approx(chosen, abs=1e-6)
    assert [hook.layer for hook in found.selected_hooks] == winner.tolist()


def test_metrics():
    rng = np.random.default_rng(0)
    truth, score = rng.integers(0, 2, 200).astype(float), rng.normal(size=200).round(1)
    said = (score > 0).astype(float)
    assert auroc(truth, score) == pytest.approx(peer.roc_auc_score(truth, score))
    assert accuracy(truth, score) == pytest.approx(peer.accuracy_score(truth, said))
    assert balanced_accuracy(truth, score) == pytest.approx(
        peer.balanced_accuracy_score(truth, said)
    )
    assert r2(truth, score) == pytest.approx(peer.r2_score(truth, score))


def test_mean_difference_equals_that_of_moments():
    acts, label, _ = planted_classes(n=40, d=6)
    found = probes.mean_difference(acts, label)
    classes = dict(zip(acts.rows.example.tolist(), label.tolist(), strict=True))
    want = from_moments(stream_moments([acts], classes), 1, 0)
    for layer in found.layers:
        torch.testing.assert_close(layer.probe.weight, want[layer.hook])


def test_a_single_wide_layer_and_a_narrow_one_are_swept_together():
    """Hook points of different widths each get the answer they would get alone."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=50)
    wide, narrow = rng.normal(size=(50, 70)), rng.normal(size=(50, 5)) + y[:, None]
    both = probes.ridge(activations([wide, narrow]), y)
    alone = probes.ridge(activations([narrow]), y)
    assert both.layers[1].score == alone.layers[0].score
