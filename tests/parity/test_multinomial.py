"""Multinomial probes against scikit-learn, two classes, and a case worked by hand."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sonde.probes.logistic_solver import logistic_solver
from sonde.probes.multinomial_solver import multinomial_solver
from sonde.probes.problem import Problem
from sonde.stats import grouped_folds

PENALTIES = (0.01, 1.0, 300.0)


def planted(n, d, classes, layers=2, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = rng.normal(size=(layers, n, d)) * np.geomspace(0.1, 5, d) + rng.normal(size=d)
    x[:, :, :classes] += 0.7 * np.eye(classes)[y]
    x[:, :, -1] = 4e3 + 300 * rng.normal(size=(layers, n))
    return x, y


def objective(x, y, weight, bias, penalty):
    z = StandardScaler().fit_transform(x)
    logits = z @ weight.T + bias
    top = logits.max(axis=1)
    total = np.log(np.exp(logits - top[:, None]).sum(axis=1)) + top
    return (total - logits[np.arange(len(y)), y]).sum() + penalty / 2 * (weight**2).sum()


@pytest.mark.parametrize(("n", "d"), [(40, 60), (120, 20)])
def test_objective_and_chances(n, d):
    x, y = planted(n, d, 4)
    problem = Problem.plain(torch.from_numpy(x), torch.from_numpy(y).double())
    solver = multinomial_solver(problem, 4)
    for penalty in PENALTIES:
        for layer, reader in enumerate(solver.final(torch.full((2,), penalty))):
            z = StandardScaler().fit_transform(x[layer])
            peer = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=100_000).fit(z, y)
            ours = (reader.weight * reader.scale).numpy()
            bias = (reader.bias + reader.weight @ reader.mean).numpy()
            own = objective(x[layer], y, ours, bias, penalty)
            theirs = objective(x[layer], y, peer.coef_, peer.intercept_, penalty)
            assert own <= theirs * (1 + 1e-12)
            assert abs(bias.mean()) < 1e-9
            logits = reader(torch.from_numpy(x[layer]))
            np.testing.assert_allclose(logits.softmax(dim=1), peer.predict_proba(z), atol=2e-5)


def test_the_sweeps_chances_are_near_the_optimum():
    x, y = planted(150, 30, 3)
    folds = grouped_folds(np.arange(150), 5)
    shuffled = np.random.default_rng(1).permutation(y)
    labels = torch.from_numpy(np.stack([y, shuffled], axis=1)).double()
    problem = Problem.plain(torch.from_numpy(x), labels, torch.from_numpy(folds))
    found = multinomial_solver(problem, 3).held_out((1, 3), PENALTIES)
    held = np.isin(folds, (1, 3))
    assert found.shape == (2, 3, held.sum(), 2, 3)
    for repetition, atol in ((0, 1e-4), (1, 0.05)):
        for number, penalty in enumerate(PENALTIES):
            scaler = StandardScaler().fit(x[1][~held])
            peer = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=100_000)
            peer.fit(scaler.transform(x[1][~held]), labels[~held, repetition])
            want = peer.predict_proba(scaler.transform(x[1][held]))
            got = found[1, number, :, repetition].softmax(dim=1)
            np.testing.assert_allclose(got, want, atol=atol)


def test_two_classes_are_the_binary_fit_at_half_the_penalty():
    x, y = planted(90, 12, 2)
    problem = Problem.plain(torch.from_numpy(x), torch.from_numpy(y).double())
    both = multinomial_solver(problem, 2).final(torch.tensor([3.0, 0.2]))
    binary = logistic_solver(problem).final(torch.tensor([1.5, 0.1]))
    for two, one in zip(both, binary, strict=True):
        np.testing.assert_allclose(two.weight[1] - two.weight[0], one.weight[0], atol=1e-8)
        np.testing.assert_allclose(two.bias[1] - two.bias[0], one.bias[0], atol=1e-7)


def test_without_a_signal_the_chances_are_the_classes_shares_by_hand():
    """Two coordinates at a penalty of 1e15 say nothing: the best chances are 6, 3 and 1 of 10."""
    y = torch.tensor([0.0] * 6 + [1.0] * 3 + [2.0])
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 10, 2)))
    (reader,) = multinomial_solver(Problem.plain(x, y.double()), 3).final(torch.tensor([1e15]))
    np.testing.assert_allclose(reader(x[0]).softmax(dim=1)[4], [0.6, 0.3, 0.1], atol=1e-9)


def test_a_class_missing_from_the_training_rows_is_never_said():
    x, y = planted(90, 12, 3)
    folds = np.where(y == 2, 0, 1 + np.arange(90) // 3 % 2)
    problem = Problem.plain(torch.from_numpy(x), torch.from_numpy(y).double(),
                            torch.from_numpy(folds))  # fmt: skip
    found = multinomial_solver(problem, 3).held_out((0,), PENALTIES)
    assert found.isfinite().all()
    assert not (found.argmax(dim=-1) == 2).any()


def test_one_row_of_a_class_and_separable_rows_stay_finite():
    x, y = planted(40, 60, 3)
    y = np.where(y == 2, 0, y)
    y[7] = 2
    problem = Problem.plain(torch.from_numpy(x), torch.from_numpy(y).double())
    for penalty in (1e-6, 1.0):
        for layer, reader in enumerate(
            multinomial_solver(problem, 3).final(torch.full((2,), penalty))
        ):
            said = reader(torch.from_numpy(x[layer]))
            assert said.isfinite().all()
            if penalty == 1e-6:
                assert (said.argmax(dim=1).numpy() == y).all()
