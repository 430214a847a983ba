import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.probes.likelihood import TwoClasses
from sonde.probes.newton_line_search import Way, line_search


def way_of(theta, step, x, y, penalty):
    """One layer, one fit, one coordinate without an intercept: f = theta x."""
    at = (torch.full((1, 1, 1, 1), float(value), dtype=torch.float64) for value in (theta, step))
    theta, step = at
    x, y = (torch.as_tensor(values, dtype=torch.float64) for values in (x, y))
    likelihood = TwoClasses(y[None], torch.ones_like(y)[None])
    pull = torch.full((1, 1, 1, 1), float(penalty), dtype=torch.float64)
    return Way.of(likelihood, pull, (theta, theta * x), (step, step * x))


def length_of(way, decrement):
    before = way.at(torch.zeros(1, 1, dtype=torch.float64))
    return float(line_search(way, before, torch.tensor([[decrement]], dtype=torch.float64)))


def test_objectives_along_a_step_by_hand():
    """At t: 2 log(1 + e^-2t) + 3 (2 t)^2 / 2, of rows 1 and -1 with labels 1 and 0."""
    way = way_of(0, 2, [1.0, -1.0], [1.0, 0.0], penalty=3)
    for t in (0.0, 0.5, 1.0):
        want = 2 * np.log1p(np.exp(-2 * t)) + 6 * t**2
        assert float(way.at(torch.tensor([[t]]).double())) == pytest.approx(want)


def test_a_step_that_overshoots_is_halved():
    """At penalty 2 the objective is 1.386 at 0, then 4.254, 1.627 and 1.198 at 1, 1/2 and 1/4."""
    assert length_of(way_of(0, 2, [1.0, -1.0], [1.0, 0.0], penalty=2), decrement=2.0) == 0.25
    assert length_of(way_of(0, 2, [1.0, -1.0], [1.0, 0.0], penalty=0.01), decrement=2.0) == 1.0


def test_a_step_uphill_is_none():
    assert length_of(way_of(0, -2, [1.0, -1.0], [1.0, 0.0], penalty=1), decrement=2.0) == 0.0


@settings(deadline=None, max_examples=25)
@given(theta=st.floats(-3, 3), penalty=st.floats(0.01, 100), seed=st.integers(0, 1000))
def test_the_objective_never_rises(theta, penalty, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=8), rng.integers(0, 2, 8).astype(float)
    slope = x @ (1 / (1 + np.exp(-theta * x)) - y) + penalty * theta
    way = way_of(theta, -slope, x, y, penalty)
    t = length_of(way, slope**2)
    before, after = (float(way.at(torch.tensor([[one]]).double())) for one in (0.0, t))
    assert after <= before * (1 + 1e-12)
