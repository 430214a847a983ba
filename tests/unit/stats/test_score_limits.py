from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.stats.delong import model_variance
from sonde.stats.proportion import binomial_variance
from sonde.stats.score_limits import ScoreLimits

MODELS = {
    "share": partial(binomial_variance, n=25.0),
    "auroc": partial(model_variance, n1=12.0, n0=20.0, scale=1.3),
}


@pytest.mark.parametrize("model", MODELS)
@given(value=st.floats(0, 1), z=st.floats(-5, 5), stretch=st.sampled_from([1.0, 1.5]))
def test_the_estimate_lies_z_errors_from_its_limit(model, value, z, stretch):
    limits = ScoreLimits(value, MODELS[model], stretch)
    theta = limits.at(z)
    assert 0 <= theta <= 1
    error = stretch * MODELS[model](theta) ** 0.5
    assert theta - value == pytest.approx(z * error, abs=1e-9)


@pytest.mark.parametrize("model", MODELS)
@given(value=st.sampled_from([0.0, 0.02, 0.5, 0.9, 1.0]), stretch=st.sampled_from([1.0, 1.5]))
def test_limits_rise_and_slopes_are_theirs(model, value, stretch):
    limits = ScoreLimits(value, MODELS[model], stretch)
    z = np.linspace(-6, 6, 49)
    at = np.array([limits.at(one) for one in z])
    assert (np.diff(at) >= 0).all()
    for one in (-2.5, -0.7, 0.7, 2.5):
        step = (limits.at(one + 1e-5) - limits.at(one - 1e-5)) / 2e-5
        assert limits.slope(one) == pytest.approx(step, rel=1e-3, abs=1e-6)


def test_a_stretched_limit_is_one_farther_out():
    plain, wide = (ScoreLimits(0.8, MODELS["share"], by) for by in (1.0, 2.0))
    assert wide.at(1.0) == pytest.approx(plain.at(2.0))
