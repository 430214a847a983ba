import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.probes.likelihood import Classes, TwoClasses
from sonde.probes.newton import Fits, Newton, fit


def inputs(n=30, layers=2):
    q = torch.from_numpy(np.random.default_rng(0).normal(size=(layers, n, 4)))
    q, _ = torch.linalg.qr(q)
    return q * torch.tensor([3.0, 2.0, 1.0, 0.5], dtype=torch.float64)


def fits(q, likelihood, penalties, tolerance=1e-16):
    columns = len(likelihood.weight)
    penalty = torch.as_tensor(penalties, dtype=torch.float64).expand(len(q), columns)
    return Fits(
        torch.cat([q, torch.ones_like(q[..., :1])], dim=-1),
        likelihood,
        penalty,
        torch.arange(columns),
        torch.full((columns,), tolerance, dtype=torch.float64),
    )


def two_classes(y, columns=2):
    y = torch.as_tensor(y, dtype=torch.float64).expand(columns, -1)
    return TwoClasses(y, torch.ones_like(y))


def slopes(given, theta):
    """The slope of the objective along the coordinates and the intercept: 0 at the optimum."""
    residual = given.likelihood.residual(given.likelihood.chance(theta @ given.z[:, None].mT))
    return residual @ given.z[:, None] + given.pull * theta


def test_without_inputs_the_intercept_is_the_log_odds():
    y = np.r_[np.ones(10), np.zeros(20)]
    found = fit(fits(inputs(), two_classes(y), [1e12, 1e13]))
    assert found.converged.all()
    np.testing.assert_allclose(found.theta[..., -1], np.log(10 / 20), atol=1e-9)


def test_one_coordinate_by_hand():
    """At theta the slope sum q (p - y) + penalty theta is zero: q = +-1, y = 1 where q = 1.

    With four rows that is 4 / (1 + e^theta) = penalty theta; penalty 4 / (1 + e) gives theta 1.
    """
    q = torch.tensor([[[1.0], [1.0], [-1.0], [-1.0]]], dtype=torch.float64)
    likelihood = two_classes([1.0, 1.0, 0.0, 0.0], columns=1)
    found = fit(fits(q, likelihood, [4 / (1 + np.e)]))
    assert found.theta.flatten().tolist() == pytest.approx([1.0, 0.0], abs=1e-9)


def test_a_weight_of_two_is_a_row_twice():
    q = inputs(layers=1)
    y = np.random.default_rng(1).integers(0, 2, 30).astype(float)
    weight = torch.ones(1, 30, dtype=torch.float64)
    weight[0, :7] = 2
    weighted = TwoClasses(torch.from_numpy(y)[None], weight)
    twice = torch.cat([q, q[:, :7]], dim=1)
    found = fit(fits(q, weighted, [1.0])).theta
    want = fit(fits(twice, two_classes(np.r_[y, y[:7]], columns=1), [1.0])).theta
    np.testing.assert_allclose(found, want, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(
    penalty=st.floats(-6, 6).map(lambda power: 10**power),
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(2, 4),
)
def test_the_slope_vanishes_at_any_penalty(penalty, seed, classes):
    y = torch.from_numpy(np.random.default_rng(seed).integers(0, classes, 30)).double()
    weight = torch.ones(2, 30, dtype=torch.float64)
    several = Classes.of(y.expand(2, -1), classes, weight)
    both = [several] if classes > 2 else [several, two_classes(y)]
    for likelihood in both:
        given = fits(inputs(), likelihood, [penalty, 50 * penalty])
        found = fit(given)
        assert found.converged.all()
        assert float(slopes(given, found.theta).abs().max()) < 1e-7


@pytest.mark.parametrize("penalty", [1e-8, 1e-4, 1.0])
def test_separable_rows_stay_finite(penalty):
    q = inputs()
    y = (q[0, :, 0] > 0).double()
    given = fits(q, two_classes(y), [penalty, 50 * penalty])
    found = fit(given)
    assert found.converged.all()
    assert found.theta.isfinite().all()
    assert float(slopes(given, found.theta).abs().max()) < 1e-8


def split_by_a_plane(n, d):
    """Rows whose classes a plane separates: the objective falls as fast as the distance to 0."""
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=(1, n, d)))
    return z, (z[0] @ torch.from_numpy(rng.normal(size=d)) > 0).double()


@pytest.fixture
def exact(monkeypatch):
    """Count how often fits go on in float64."""
    calls, plain = [], Newton.exact

    def counted(self, fits):
        calls.append(fits)
        return plain(self, fits)

    monkeypatch.setattr(Newton, "exact", counted)
    return calls


@pytest.mark.parametrize("penalty", [1e-6, 1e-4])
@pytest.mark.parametrize(("n", "d"), [(60, 3), (200, 10)])
def test_slow_but_steady_steps_do_not_try_ones_patience(penalty, n, d, exact):
    """Twenty steps that each quarter the distance and the objective alike are no standstill."""
    z, y = split_by_a_plane(n, d)
    given = fits(z, two_classes(y, columns=1), [penalty])
    found = fit(given)
    assert not exact
    assert found.converged.all()
    assert float(slopes(given, found.theta).abs().max()) < 1e-8


def test_a_standstill_in_single_precision_is_ended_in_double(exact):
    z, y = split_by_a_plane(200, 10)
    found = fit(fits(z, two_classes(y, columns=1), [1e-10]))
    assert exact
    assert found.converged.all()


def test_one_class_gets_no_coefficients():
    found = fit(fits(inputs(), two_classes(np.ones(30)), [1.0, 1.0]))
    assert found.converged.all()
    assert not found.theta[..., :-1].any()
    np.testing.assert_allclose(found.theta[..., -1], np.log(30.5 / 0.5))


def test_a_class_without_rows_is_never_the_likeliest():
    y = torch.from_numpy(np.random.default_rng(2).integers(0, 2, 30) * 2).double()
    likelihood = Classes.of(y[None], 3, torch.ones(1, 30, dtype=torch.float64))
    given = fits(inputs(layers=1), likelihood, [0.1])
    found = fit(given)
    assert found.converged.all()
    assert not found.theta[0, 0, 1, :-1].any()
    logits = found.theta[0, 0] @ given.z[0].T
    assert set(logits.argmax(dim=0).tolist()) == {0, 2}
