import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from sonde import probes
from sonde.probes.class_balance import (
    inverse_weights,
    resampled,
    row_weights,
    square_root_weights,
)
from sonde.probes.logistic_solver import logistic_solver
from sonde.probes.multinomial_solver import multinomial_solver
from sonde.probes.problem import Problem
from sonde.probes.settings.balance import Inverse, Resample, SquareRoot

labels = st.lists(st.integers(0, 3), min_size=1, max_size=60)


def test_square_root_by_hand():
    """Of 90, 10 and 1 rows: 1, sqrt(9) = 3, and sqrt(90) = 9.5 cut to the cap of 5."""
    y = torch.tensor([0.0] * 90 + [1.0] * 10 + [2.0])
    assert square_root_weights(y, 5.0).tolist() == [1.0, 3.0, 5.0]
    assert square_root_weights(y, 2.0).tolist() == [1.0, 2.0, 2.0]


@given(labels)
def test_inverse_frequencies_are_scikit_learns(y):
    ours = inverse_weights(torch.tensor(y, dtype=torch.float64))
    want = compute_class_weight("balanced", classes=np.unique(y), y=np.array(y))
    np.testing.assert_allclose(ours[torch.tensor(np.unique(y))], want)
    absent = [one for one in range(len(ours)) if one not in y]
    assert not ours[absent].any()


@given(labels, st.floats(1, 20))
def test_square_roots_lie_between_one_and_the_cap(y, cap):
    weight = square_root_weights(torch.tensor(y, dtype=torch.float64), cap)
    seen = weight[torch.tensor(np.unique(y))]
    assert bool(((seen >= 1) & (seen <= cap * (1 + 1e-12))).all())
    assert weight[int(np.bincount(y).argmax())] == 1


@given(y=labels, seed=st.integers(0, 5), units=st.integers(1, 60))
def test_resampling_keeps_units_whole_and_the_rarest_class_at_its_size(y, seed, units):
    values, unit = np.array(y, dtype=float), np.arange(len(y)) % units
    kept = resampled(values, unit, [seed, 0])
    assert all(len(set(kept[unit == one])) == 1 for one in set(unit))
    before = np.unique(values, return_counts=True)[1]
    after = [kept[values == one].sum() for one in np.unique(values)]
    assert min(after) >= min(before)
    if units >= len(y):  # every row is a unit of its own: the classes become equal
        assert set(after) == {min(before)}
    np.testing.assert_array_equal(kept, resampled(values, unit, [seed, 0]))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_fit_is_scikit_learns_with_balanced_weights(classes):
    rng = np.random.default_rng(0)
    y = rng.choice(classes, 80, p=[0.85, 0.15] if classes == 2 else [0.7, 0.2, 0.1])
    x = rng.normal(size=(1, 80, 6)) + y[None, :, None] * np.arange(6) / 5
    problem = Problem.plain(torch.from_numpy(x), torch.from_numpy(y).double())
    weights = row_weights(Inverse(), np.arange(80), 0)
    solver = (
        logistic_solver(problem, weights)
        if classes == 2
        else multinomial_solver(problem, classes, weights)
    )
    (reader,) = solver.final(torch.tensor([2.0]))
    z = StandardScaler().fit_transform(x[0])
    peer = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000, class_weight="balanced")
    want = peer.fit(z, y).predict_proba(z)
    logits = reader(torch.from_numpy(x[0]))
    got = logits.softmax(dim=1) if classes > 2 else torch.sigmoid(logits[:, 0])
    np.testing.assert_allclose(got, want if classes > 2 else want[:, 1], atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.sampled_from([SquareRoot(), Inverse(), Resample()]), st.integers(0, 2**32 - 1))
def test_only_training_rows_are_weighed_and_counted(balance, seed):
    rng = np.random.default_rng(seed)
    y = torch.from_numpy(rng.integers(0, 2, size=(2, 40))).double()
    train = torch.arange(40) % 4 > 0
    weigh = row_weights(balance, np.arange(40) // 2, 0)
    changed = torch.where(train, y, 1 - y)
    assert torch.equal(weigh(y, train), weigh(changed, train))
    assert weigh(y, train).shape == (2, 30)


def test_a_resampled_fit_is_the_fit_of_the_rows_that_are_kept():
    rng = np.random.default_rng(3)
    y = torch.from_numpy((rng.random(60) < 0.2).astype(float))
    x = torch.from_numpy(rng.normal(size=(1, 60, 4)))
    x = (x - x.mean(dim=1)) / x.std(dim=1, correction=0)
    weights = row_weights(Resample(), np.arange(60), 7)
    kept = weights(y[None], torch.ones(60, dtype=torch.bool))[0] > 0
    assert int(kept.sum()) == 2 * int(y.sum())
    (ours,) = logistic_solver(Problem.plain(x, y), weights).final(torch.tensor([1.0]))
    peer = LogisticRegression(C=1.0, tol=1e-10).fit(x[0][kept], y[kept])
    np.testing.assert_allclose(ours.weight, peer.coef_, atol=1e-5)


def test_a_name_stands_for_the_settings_of_a_balance():
    assert probes.LogisticSettings(balance="square_root").balance == SquareRoot(cap=5.0)
    with pytest.raises(ValueError, match="sqrt"):
        probes.LogisticSettings(balance="sqrt")
