import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sonde.core.errors import SondeError
from sonde.probes.bradley_terry_solver import bradley_terry_solver
from sonde.probes.comparison_lines import Compared, ComparisonLines
from sonde.probes.pair_table import PairTable
from sonde.probes.problem import Problem


def drawn(n_items, n_comparisons, width, seed=0):
    """Items with activations, and comparisons won by a planted utility, with noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_items, width)) * rng.uniform(0.5, 3, width) + rng.normal(size=width)
    utility = (x - x.mean(0)) @ rng.normal(size=width) / math.sqrt(width)
    first = rng.integers(0, n_items, n_comparisons)
    second = (first + rng.integers(1, n_items, n_comparisons)) % n_items
    chance = 1 / (1 + np.exp(utility[second] - utility[first]))
    outcome = (rng.random(n_comparisons) < chance).astype(float)
    return torch.from_numpy(x), Compared(first, second, outcome, np.ones(n_comparisons))


def problem_of(x, folds=None, shuffles=()):
    items = np.stack([np.arange(x.shape[0]), *shuffles], axis=1).astype(float)
    folds = None if folds is None else torch.as_tensor(folds)
    return Problem.plain(x[None], torch.from_numpy(items), folds)


@pytest.mark.parametrize("width", [5, 60])
@pytest.mark.parametrize("penalty", [0.5, 20.0])
def test_it_is_logistic_regression_on_differences(width, penalty):
    x, compared = drawn(40, 300, width)
    solver = bradley_terry_solver(compared.pairs)(problem_of(x))
    (reader,) = solver.final(torch.tensor([penalty], dtype=torch.float64))
    z = ((x - x.mean(0)) / x.std(0, correction=0)).numpy()
    differences = z[compared.first] - z[compared.second]
    peer = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-12, max_iter=10_000)
    peer.fit(differences, compared.outcome)
    ours = (reader.weight[0] * reader.scale).numpy()
    assert np.allclose(ours, peer.coef_[0], atol=1e-5 * np.abs(peer.coef_).max())
    assert abs(float(reader(x).mean())) < 1e-9


def test_held_out_utilities_are_those_of_a_fit_without_the_fold():
    x, compared = drawn(30, 400, 50)
    folds = np.arange(30) % 3
    solver = bradley_terry_solver(compared.pairs)(problem_of(x, folds))
    (said,) = solver.held_out((1,), (1.0, 30.0))[:, :, :, 0, 0]
    train = folds != 1
    mean, scale = x[train].mean(0), x[train].std(0, correction=0)
    z = ((x - mean) / scale).numpy()
    both = train[compared.first] & train[compared.second]
    differences = z[compared.first[both]] - z[compared.second[both]]
    for ours, penalty in zip(said.numpy(), (1.0, 30.0), strict=True):
        peer = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-10, max_iter=10_000)
        peer.fit(differences, compared.outcome[both])
        theirs = z[~train] @ peer.coef_[0]
        assert np.abs(ours - theirs).max() < 1e-3 * theirs.std()


def test_two_items_by_hand():
    """One coordinate, z = (1, -1), 3 wins to 1: w solves 2 (4 s(2w) - 3) + w = 0."""
    x = torch.tensor([[3.0], [1.0]], dtype=torch.float64)
    pairs = PairTable.of(np.zeros(4, int), np.ones(4, int), np.array([1.0, 1, 1, 0]))
    (reader,) = bradley_terry_solver(pairs)(problem_of(x)).final(torch.ones(1).double())
    w = float(reader.weight[0, 0])
    assert abs(2 * (4 / (1 + math.exp(-2 * w)) - 3) + w) < 1e-9


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), few=st.integers(3, 9), many=st.integers(8, 15))
def test_wins_that_the_activations_cannot_tell_move_nothing(seed, few, many):
    """Items of two kinds, alike within a kind: who wins within one leaves no direction at all.

    The slope then lies outside the kernel's range, but for rounding, which must not be followed.
    """
    rng = np.random.default_rng(seed)
    kind = np.repeat([0, 1], (few, many))
    x = torch.from_numpy(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])[kind])
    first, second = (found.reshape(-1) for found in np.indices((len(kind), len(kind))))
    within = np.flatnonzero((first < second) & (kind[first] == kind[second]))
    some = rng.choice(within, min(len(within), 31), replace=False)
    pairs = PairTable.of(first[some], second[some], rng.integers(0, 2, len(some)).astype(float))
    solver = bradley_terry_solver(pairs)(problem_of(x))
    for penalty in (0.01, 1.0, 100.0):
        (reader,) = solver.final(torch.tensor([penalty]).double())
        assert float(reader.weight.abs().max()) < 1e-9


def test_a_tie_pulls_utilities_together_as_a_win_each_way_does():
    tie = PairTable.of(np.array([0, 0]), np.array([1, 1]), np.array([0.5, 0.5]))
    wins = PairTable.of(np.array([0, 0]), np.array([1, 1]), np.array([1.0, 0.0]))
    assert np.array_equal(tie.for_low, wins.for_low)
    assert np.array_equal(tie.for_high, wins.for_high)


@settings(deadline=None, max_examples=20)
@given(turned=st.lists(st.booleans(), min_size=60, max_size=60), seed=st.integers(0, 5))
def test_naming_the_items_the_other_way_round_changes_nothing(turned, seed):
    x, one = drawn(12, 60, 4, seed)
    flip = np.array(turned)
    other = Compared(
        np.where(flip, one.second, one.first),
        np.where(flip, one.first, one.second),
        np.where(flip, 1 - one.outcome, one.outcome),
        one.weight,
    )
    penalty = torch.ones(1).double()
    (first,) = bradley_terry_solver(one.pairs)(problem_of(x)).final(penalty)
    (second,) = bradley_terry_solver(other.pairs)(problem_of(x)).final(penalty)
    assert torch.equal(first.weight, second.weight)
    folds = np.arange(12) % 3
    lines = [ComparisonLines.of(each, np.arange(12), folds) for each in (one, other)]
    assert np.array_equal(lines[0].won, lines[1].won)


def test_a_weight_is_so_many_comparisons():
    once = PairTable.of(np.array([1]), np.array([0]), np.array([1.0]), np.array([3.0]))
    thrice = PairTable.of(np.array([1] * 3), np.array([0] * 3), np.ones(3))
    assert once.for_high.tolist() == thrice.for_high.tolist() == [3.0]


def test_a_shuffle_reads_each_items_utility_where_it_was_put():
    """With a shuffle that exchanges two rows of a fold, their activations are exchanged."""
    x, compared = drawn(30, 400, 6)
    folds = np.arange(30) % 3
    moved = np.arange(30)
    moved[[0, 3, 1, 7]] = [3, 0, 7, 1]  # rows 0 and 3 are of fold 0, 1 and 7 of fold 1
    solver = bradley_terry_solver(compared.pairs)(problem_of(x, folds, [moved]))
    said = solver.held_out((0,), (5.0,))[0, 0, :, 1, 0]
    exchanged = bradley_terry_solver(compared.pairs)(problem_of(x[moved], folds))
    alone = exchanged.held_out((0,), (5.0,))[0, 0, :, 0, 0]
    assert torch.allclose(said, alone, atol=2e-2 * float(alone.std()))


def test_separable_comparisons_stay_finite():
    x = torch.arange(8.0, dtype=torch.float64)[:, None]
    first, second = np.triu_indices(8, 1)
    pairs = PairTable.of(first, second, np.zeros(len(first)))
    (reader,) = bradley_terry_solver(pairs)(problem_of(x)).final(torch.tensor([1e-6]).double())
    said = reader(x)[:, 0]
    assert bool(said.isfinite().all())
    assert bool((said.diff() > 0).all())


def test_folds_without_a_comparison_are_named():
    x = torch.randn(6, 3, dtype=torch.float64)
    pairs = PairTable.of(np.array([0]), np.array([1]), np.array([1.0]))
    solver = bradley_terry_solver(pairs)(problem_of(x, [0, 1, 2, 0, 1, 2]))
    with pytest.raises(SondeError, match="No two of 4 training items"):
        solver.held_out((0,), (1.0,))


def test_lines_are_the_decided_comparisons_within_a_fold():
    compared = Compared(
        np.array([2, 0, 0, 1, 0]),
        np.array([0, 2, 1, 3, 9]),
        np.array([1.0, 0.5, 1.0, 0.2, 1.0]),
        np.ones(5),
    )
    item = np.array([3, 2, 1, 0])  # the item of each row
    lines = ComparisonLines.of(compared, item, np.array([0, 1, 0, 1]))
    assert (lines.ties, lines.straddling, lines.absent) == (1, 1, 1)
    assert lines.rows.tolist() == [3, 2]  # items 0 and 1
    assert lines.other.tolist() == [1, 0]  # items 2 and 3
    assert lines.won.tolist() == [0.0, 0.0]
    said = lines.said(np.array([1.0, 5.0, 2.0, 4.0])[:, None, None])
    assert said[:, 0].tolist() == [-1.0, 1.0]


def test_large_kernels_in_single_precision_and_weak_penalties_in_double_agree(monkeypatch):
    """Penalties in any order; above 512 items products are in single precision."""
    monkeypatch.setattr("sonde.probes.bradley_terry_solver.SINGLE", 0.1)
    x, compared = drawn(1040, 4000, 520, seed=2)
    folds = np.arange(1040) % 2
    penalties = (3000.0, 100.0)
    solver = bradley_terry_solver(compared.pairs)(problem_of(x, folds))
    (said,) = solver.held_out((0,), penalties)[..., 0, 0]
    train = folds == 1
    number = np.cumsum(train) - 1
    both = train[compared.first] & train[compared.second]
    pairs = PairTable.of(
        number[compared.first[both]], number[compared.second[both]], compared.outcome[both]
    )
    alone = bradley_terry_solver(pairs)(problem_of(x[train]))
    for ours, penalty in zip(said, penalties, strict=True):
        (reader,) = alone.final(torch.tensor([penalty]).double())
        exact = reader(x[~train])[:, 0]
        assert float((ours - exact).std()) < 2e-3 * float(exact.std())
