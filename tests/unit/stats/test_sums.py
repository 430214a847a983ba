import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.stats.sums import MEAN, PEARSON, R2

SMOOTH = {"mean": MEAN, "r2": R2, "pearson": PEARSON}


def sums_of(smooth, seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=30)
    return smooth.terms(truth, truth + rng.normal(size=30)).sum(axis=0)


@pytest.mark.parametrize("name", SMOOTH)
@given(seed=st.integers(0, 50))
def test_the_gradient_is_that_of_small_steps(name, seed):
    smooth = SMOOTH[name]
    sums = sums_of(smooth, seed)
    steps = np.eye(len(sums)) * 1e-5 * np.maximum(np.abs(sums), 1)
    slopes = (smooth.score(sums + steps) - smooth.score(sums - steps)) / (2 * np.diag(steps))
    assert smooth.gradient(sums) == pytest.approx(slopes, rel=1e-4, abs=1e-7)
    # Doubling the rows leaves the score.
    assert smooth.gradient(sums) @ sums == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", SMOOTH)
@given(value=st.floats(-0.99, 0.99))
def test_the_link_leads_there_and_back(name, value):
    smooth = SMOOTH[name]
    assert smooth.inverse(smooth.link(value)) == pytest.approx(value, abs=1e-9)
    slope = (smooth.link(value + 1e-6) - smooth.link(value - 1e-6)) / 2e-6
    assert float(smooth.slope(value)) == pytest.approx(slope, rel=1e-4)
    assert slope > 0


def test_the_gradient_of_a_mean_by_hand():
    # Sum 6 of 3 rows: d (s / n) / ds = 1/3, d (s / n) / dn = -6/9.
    assert MEAN.gradient(np.array([6.0, 3.0])) == pytest.approx([1 / 3, -2 / 3])
