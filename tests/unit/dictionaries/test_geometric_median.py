"""The geometric median, against a general minimiser and where it is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from sonde.core.errors import SondeError
from sonde.dictionaries.geometric_median import geometric_median


def test_of_three_corners_and_their_opposite_by_hand():
    """Of a convex quadrangle it is where the diagonals cross."""
    corners = torch.tensor([[0.0, 0.0], [4.0, 0.0], [3.0, 3.0], [0.0, 2.0]])
    # (0, 0)-(3, 3) and (4, 0)-(0, 2): x = y and x / 4 + y / 2 = 1.
    assert geometric_median(corners).tolist() == pytest.approx([4 / 3, 4 / 3], abs=1e-4)


def test_more_than_half_of_the_rows_at_a_point_decide():
    away = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 3))).float() * 100
    rows = torch.cat([torch.ones(6, 3), away])
    torch.testing.assert_close(geometric_median(rows), torch.ones(3), rtol=0, atol=1e-3)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_point_is_better(seed):
    rows = torch.from_numpy(np.random.default_rng(seed).standard_cauchy((25, 3)))
    found = geometric_median(rows).numpy()

    def total(point):
        return np.linalg.norm(rows.numpy() - point, axis=1).sum()

    best = minimize(total, found, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9})
    assert total(found) <= best.fun * (1 + 1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 100), shift=st.floats(-100, 100))
def test_it_moves_with_the_rows(seed, scale, shift):
    rows = torch.from_numpy(np.random.default_rng(seed).normal(size=(20, 4)))
    moved = geometric_median(scale * rows + shift)
    torch.testing.assert_close(moved, scale * geometric_median(rows) + shift, rtol=1e-3, atol=1e-3)


def test_rows_all_alike_and_none():
    assert geometric_median(torch.full((4, 2), 3.0)).tolist() == [3, 3]
    with pytest.raises(SondeError, match="of 0 rows"):
        geometric_median(torch.zeros(0, 2))
    with pytest.raises(SondeError, match="not finite"):
        geometric_median(torch.tensor([[float("nan")]]))
