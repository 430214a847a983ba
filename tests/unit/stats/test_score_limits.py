from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.stats.delong import model_rows
from sonde.stats.score_limits import ScoreLimits

ROWS = {"share": lambda theta: 25, "auroc": partial(model_rows, n1=12, n0=20, scale=1.3)}


@pytest.mark.parametrize("model", ROWS)
@given(value=st.floats(0, 1), z=st.floats(-5, 5), stretch=st.sampled_from([1.0, 1.5]))
def test_the_estimate_lies_z_errors_from_its_limit(model, value, z, stretch):
    limits = ScoreLimits(value, ROWS[model], stretch)
    theta = limits.at(z)
    assert 0 <= theta <= 1
    error = stretch * (theta * (1 - theta) / ROWS[model](theta)) ** 0.5
    assert theta - value == pytest.approx(z * error, abs=1e-7)


@pytest.mark.parametrize("model", ROWS)
@given(value=st.sampled_from([0.0, 0.02, 0.5, 0.9, 1.0]), stretch=st.sampled_from([1.0, 1.5]))
def test_limits_rise_and_slopes_are_theirs(model, value, stretch):
    limits = ScoreLimits(value, ROWS[model], stretch)
    z = np.linspace(-6, 6, 49)
    at = np.array([limits.at(one) for one in z])
    assert (np.diff(at) >= -1e-12).all()
    for one in (-2.5, -0.7, 0.7, 2.5):
        step = (limits.at(one + 1e-5) - limits.at(one - 1e-5)) / 2e-5
        assert limits.slope(one) == pytest.approx(step, rel=1e-3, abs=1e-6)


def test_a_stretched_limit_is_one_farther_out():
    plain, wide = (ScoreLimits(0.8, ROWS["share"], by) for by in (1.0, 2.0))
    assert wide.at(1.0) == pytest.approx(plain.at(2.0))
