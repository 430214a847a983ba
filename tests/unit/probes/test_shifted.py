"""Shifted systems: single precision helps to find the answer and never decides it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.probes import shifted
from sonde.probes.conjugate_gradients import conjugate_gradients
from sonde.probes.shifted import solve_shifted


class Matrix:
    """A matrix given whole, with a single-precision copy that may be poor."""

    def __init__(self, whole, noise=0.0):
        self.whole = whole
        drawn = torch.randn(whole.shape, generator=torch.Generator().manual_seed(1))
        self.noise = noise * (drawn + drawn.T) * whole.norm()
        self.formed = 0

    def __len__(self):
        return len(self.whole)

    def double(self):
        self.formed += 1
        return self.whole.clone()

    def single(self):
        return (self.whole + self.noise).float()

    def times(self, right):
        return right @ self.whole


def decaying(side, power, rank=None, seed=0):
    """A matrix with eigenvalues 1e6 k^-power, of lower rank if asked for."""
    g = torch.Generator().manual_seed(seed)
    axes, _ = torch.linalg.qr(torch.randn(side, side, generator=g, dtype=torch.float64))
    values = 1e6 * torch.arange(1, side + 1, dtype=torch.float64) ** -power
    values[side if rank is None else rank :] = 0
    return (axes * values) @ axes.T, torch.randn(3, side, generator=g, dtype=torch.float64)


@pytest.fixture
def always_single(monkeypatch):
    monkeypatch.setattr(shifted, "SMALL", 0)


def test_worked_by_hand(always_single):
    # (2 1; 1 2) + 1 = (3 1; 1 3), whose inverse is (3 -1; -1 3) / 8.
    square = Matrix(torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=torch.float64))
    right = torch.tensor([[8.0, 0.0], [8.0, 16.0], [0.0, 0.0]], dtype=torch.float64)
    found = solve_shifted(square, [1.0, 6.0], right)
    torch.testing.assert_close(found[0], torch.tensor([[3.0, -1.0], [1.0, 5.0], [0, 0]]).double())
    # With penalty 6: (8 1; 1 8), inverse (8 -1; -1 8) / 63.
    assert found[1, 0].tolist() == pytest.approx([64 / 63, -8 / 63])
    assert square.formed == 0


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0, 4.0])
def test_fitted_values_are_those_of_double_precision(always_single, power):
    whole, right = decaying(150, power)
    penalties = [0.1, 10.0, 1e3, 1e6]
    found = solve_shifted(Matrix(whole, noise=1e-9), penalties, right)
    for penalty, got in zip(penalties, found, strict=True):
        want = torch.linalg.solve(whole + penalty * torch.eye(150), right.T).T
        error = ((got - want) @ whole).norm(dim=1) / (want @ whole).norm(dim=1)
        assert float(error.max()) < 1e-8


def test_a_penalty_below_the_rounding_of_single_precision_is_factorised_in_double(always_single):
    whole, right = decaying(60, 2.0, rank=30)
    square = Matrix(whole)
    penalties = [1e-6, 1.0, 1e5]
    found = solve_shifted(square, penalties, right @ whole / 1e6)
    assert square.formed == 1  # for the first penalty alone
    for penalty, got in zip(penalties, found, strict=True):
        want = torch.linalg.solve(whole + penalty * torch.eye(60), (right @ whole / 1e6).T).T
        error = ((got - want) @ whole).norm() / (want @ whole).norm()
        assert float(error) < 1e-8


def test_a_poor_copy_takes_more_steps_to_the_same_answer(always_single):
    whole, right = decaying(80, 1.0)
    good, poor = (solve_shifted(Matrix(whole, noise), [1e4], right) for noise in (0.0, 1e-4))
    torch.testing.assert_close(poor, good, rtol=1e-9, atol=1e-12)


def test_penalties_that_do_not_fit_in_memory_together_are_solved_in_turn(
    always_single, monkeypatch
):
    whole, right = decaying(50, 1.0)
    penalties = [1.0, 10.0, 100.0, 1e3, 1e4]
    together = solve_shifted(Matrix(whole), penalties, right)
    monkeypatch.setattr(shifted, "FACTOR_BYTES", 2 * 4 * 50**2)
    torch.testing.assert_close(solve_shifted(Matrix(whole), penalties, right), together)


def test_what_double_precision_cannot_factorise_is_named():
    whole = -torch.eye(3, dtype=torch.float64)
    with pytest.raises(SondeError, match=r"penalty of 0.5 is too small"):
        solve_shifted(Matrix(whole), [0.5], torch.ones(1, 3, dtype=torch.float64))


def test_without_a_factor_a_penalty_is_left_open():
    whole, right = decaying(20, 1.0)
    factor = torch.linalg.cholesky(whole + 1e4 * torch.eye(20)).float()
    found, done = conjugate_gradients(
        lambda v: v @ whole, float(whole.norm()), [1e4, 1e4], [factor, None], right
    )
    assert done == [True, False]
    want = torch.linalg.solve(whole + 1e4 * torch.eye(20), right.T).T
    torch.testing.assert_close(found[0], want, rtol=1e-10, atol=0)


@given(st.integers(2, 30), st.floats(0, 3), st.floats(-2, 6), st.floats(-100, 100))
def test_the_unit_of_the_right_side_carries_over(side, power, exponent, unit):
    whole, right = decaying(side, power, seed=side)
    factor = 10.0**unit
    size, penalty = float(whole.norm()), 10.0**exponent
    one = torch.linalg.cholesky(whole + penalty * torch.eye(side)).float()
    found, done = conjugate_gradients(lambda v: v @ whole, size, [penalty], [one], right)
    scaled, also = conjugate_gradients(lambda v: v @ whole, size, [penalty], [one], right * factor)
    assert done == also == [True]
    np.testing.assert_allclose(
        scaled @ whole, found @ whole * factor, rtol=1e-6, atol=1e-6 * factor
    )
