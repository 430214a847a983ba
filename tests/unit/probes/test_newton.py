import numpy as np
import pytest
import torch

from sonde.probes.newton import Problem, fit_logistic


def problem(y, penalty, n=30, d=4, layers=2):
    q = torch.from_numpy(np.random.default_rng(0).normal(size=(layers, n, d)))
    q, _ = torch.linalg.qr(q)
    spectrum = torch.tensor([9.0, 4.0, 1.0, 0.25], dtype=torch.float64)
    columns = torch.as_tensor(np.stack([y, y]), dtype=torch.float64)
    penalties = torch.tensor([[penalty, 50 * penalty]], dtype=torch.float64).expand(layers, -1)
    return Problem(q * spectrum.sqrt(), spectrum.expand(layers, -1), columns, penalties)


def fitted(given, tolerance):
    return fit_logistic(given, torch.full((len(given.y),), tolerance, dtype=torch.float64))


def test_without_inputs_the_intercept_is_the_log_odds():
    y = np.r_[np.ones(10), np.zeros(20)]
    given = problem(y, 1e12)
    fit = fitted(given, 1e-12)
    assert fit.converged
    np.testing.assert_allclose(fit.bias, np.log(10 / 20), atol=1e-9)


def test_one_coordinate_by_hand():
    """At theta the slope sum q (p - y) + penalty theta is zero: q = +-1, y = 1 where q = 1.

    With four rows that is 4 / (1 + e^theta) = penalty theta; penalty 4 / (1 + e) gives theta 1.
    """
    q = torch.tensor([[[1.0], [1.0], [-1.0], [-1.0]]], dtype=torch.float64)
    y = torch.tensor([[1.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    penalty = torch.tensor([[4 / (1 + np.e)]], dtype=torch.float64)
    fit = fitted(Problem(q, torch.full((1, 1), 4.0).double(), y, penalty), 1e-16)
    assert float(fit.theta) == pytest.approx(1.0, abs=1e-9)
    assert float(fit.bias) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("penalty", [1e-6, 1e-2, 1.0, 1e4])
def test_the_slope_vanishes_at_any_penalty(penalty):
    y = np.random.default_rng(1).integers(0, 2, 30).astype(float)
    given = problem(y, penalty)
    fit = fitted(given, 1e-20)
    assert fit.converged
    chance = torch.sigmoid(fit.theta @ given.q.mT + fit.bias[..., None])
    slope = (chance - given.y) @ given.q + given.penalty[..., None] * fit.theta
    assert float(slope.abs().max()) < 1e-8
    assert float((chance - given.y).sum(dim=-1).abs().max()) < 1e-8


def test_separable_rows_stay_finite():
    given = problem(np.zeros(30), 1e-4)
    y = (given.q[0, :, 0] > 0).double().expand(2, -1)
    fit = fitted(Problem(given.q, given.spectrum, y, given.penalty), 1e-10)
    assert fit.converged
    assert fit.theta.isfinite().all()


def test_one_class_gets_no_coefficients():
    fit = fitted(problem(np.ones(30), 1.0), 1e-10)
    assert fit.converged
    assert not fit.theta.any()
    np.testing.assert_allclose(fit.bias, np.log(30.5 / 0.5))
