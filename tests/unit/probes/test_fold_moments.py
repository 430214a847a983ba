"""Moments of folds: by hand, merged in any way, and however the rows are cut."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from sonde.activations.gram import BLOCK, lower_gram, mirrored
from sonde.activations.running_moments import RunningMoments
from sonde.core.errors import SondeError
from sonde.probes.fold_moments import FoldMoments, Spread


def drawn(seed, n=40, d=5, targets=2):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * np.geomspace(0.01, 100, d) + rng.normal(0, 50, d)
    x[:, 1] = 0.1
    folds = rng.permutation(np.arange(n) % 4)
    return tuple(map(torch.from_numpy, (x, rng.normal(3, 2, size=(n, targets)), folds)))


def test_worked_by_hand():
    # Fold 0: (0, 1), (2, 3) with y 1, 3; fold 1: (7, 5) with y 5.
    x = torch.tensor([[0.0, 1], [2, 3], [7, 5]], dtype=torch.float64)
    y = torch.tensor([[1.0], [3], [5]], dtype=torch.float64)
    found = FoldMoments.of_rows(x, y, torch.tensor([0, 0, 1]))
    assert found.scatter[0].tolist() == [[2, 2], [2, 2]]
    assert found.cross[0].tolist() == [[2, 2]]
    assert found.y_square.tolist() == [[2], [0]]
    # Both: means (3, 3) and 3; deviations (-3, -2), (-1, 0), (4, 2) and -2, 0, 2.
    fit = found.over([0, 1])
    assert fit.n == 3
    assert fit.mean.tolist() == [3, 3]
    assert fit.scale.tolist() == pytest.approx([(26 / 3) ** 0.5, (8 / 3) ** 0.5])
    assert fit.unscaled().square.flatten().tolist() == pytest.approx([26, 14, 14, 8])
    assert fit.unscaled().cross.flatten().tolist() == pytest.approx([14, 8])
    assert fit.trace == pytest.approx(6)


@pytest.mark.parametrize("kept", [(0,), (1, 3), (0, 1, 2, 3)])
def test_merged_folds_are_standardised_as_by_scikit_learn(kept):
    x, y, folds = drawn(0)
    fit = FoldMoments.of_rows(x, y, folds).over(kept)
    rows = torch.isin(folds, torch.tensor(kept))
    scaler = StandardScaler().fit(x[rows])
    z, centred = scaler.transform(x[rows]), (y[rows] - y[rows].mean(dim=0)).numpy()
    assert fit.scale.numpy() == pytest.approx(scaler.scale_)
    want = z.T @ z
    want[1, 1] = fit.n  # the constant coordinate
    np.testing.assert_allclose(fit.square, want, atol=1e-9)
    np.testing.assert_allclose(fit.cross, centred.T @ z, atol=1e-9)
    assert fit.square_norm() == pytest.approx(np.square(z.T @ z).sum())
    np.testing.assert_allclose(fit.scatter(), z.T @ z, atol=1e-9)


def test_a_coordinate_that_varies_in_another_fold_alone_is_constant_here():
    """Total less one fold would leave rounding where the others hold nothing."""
    x, y, folds = drawn(1)
    x[:, 2] = torch.where(folds == 0, 1e9 * torch.randn(40, dtype=torch.float64), 0.3)
    fit = FoldMoments.of_rows(x, y, folds).over([1, 2, 3])
    assert float(fit.scale[2]) == 1
    assert not fit.standards.varies[2]
    assert fit.cross[:, 2].abs().max() == 0


@given(st.integers(0, 50), st.lists(st.integers(0, 40), max_size=4), st.booleans())
def test_running_moments_do_not_depend_on_the_cuts(seed, cuts, covariance):
    x, y, _ = drawn(seed)
    running = RunningMoments(5, 2, covariance=covariance)
    edges = sorted({0, 40, *cuts})
    for start, stop in itertools.pairwise(edges):
        running.add(x[start:stop], y[start:stop])
    running.add(x[:0], y[:0])
    whole = FoldMoments.of_rows(x, y, torch.zeros(40, dtype=torch.int64))
    assert running.count == 40
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(running.mean, whole.spread.mean[0], **close)
    torch.testing.assert_close(running.square, whole.spread.square[0], **close)
    torch.testing.assert_close(running.cross, whole.cross[0], **close)
    torch.testing.assert_close(running.target_square, whole.y_square[0], **close)
    if covariance:
        torch.testing.assert_close(running.scatter, whole.scatter[0], **close)
    else:
        with pytest.raises(SondeError, match="no covariance"):
            _ = running.scatter


@given(st.integers(0, 50), st.floats(-1e6, 1e6))
def test_a_shift_moves_the_mean_alone(seed, shift):
    x, _, folds = drawn(seed)
    before, after = (Spread.of_rows(one, folds).over([0, 2]) for one in (x, x + shift))
    torch.testing.assert_close(after.mean, before.mean + shift, rtol=1e-9, atol=1e-9)
    varies = before.varies
    torch.testing.assert_close(after.scale[varies], before.scale[varies], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("side", [1, BLOCK, 2 * BLOCK + 3])
def test_half_a_product_is_the_whole(side):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(7, side)))
    torch.testing.assert_close(mirrored(lower_gram(x)), x.T @ x)
