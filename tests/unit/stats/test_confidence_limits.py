from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import norm, t

from sonde.stats.limits import Fixed, Moved, Profile, Studentised, normal_score, t_score
from sonde.stats.proportion import proportion_limits

Z = np.linspace(-8, 8, 65)


@given(z=st.floats(-8, 8), df=st.sampled_from([1.0, 4.0, 30.0]))
def test_the_t_score_has_the_normal_scores_probability(z, df):
    assert t.logcdf(t_score(z, df), df) == pytest.approx(norm.logcdf(z), abs=1e-7)
    assert t_score(z, float("inf")) == z


def test_student_without_pivots():
    limits = Studentised(2.0, 0.5, np.empty(0), 9.0, float)
    assert limits.at(norm.ppf(0.975)) == pytest.approx(2 + 0.5 * t.ppf(0.975, 9))


@given(seed=st.integers(0, 50), count=st.sampled_from([20, 99, 1000]))
def test_quantiles_come_from_the_pivots_and_go_on_beyond_them(seed, count):
    pivots = np.sort(np.random.default_rng(seed).exponential(size=count) - 1)
    limits = Studentised(0.0, 1.0, pivots, 25.0, float)
    at = np.array([limits.at(z) for z in Z])
    assert (np.diff(at) >= 0).all()
    # A lower limit is the upper quantile's, reversed: hence the minus and the swap.
    middle = np.quantile(pivots, 0.5, method="weibull")
    assert limits.at(0.0) == pytest.approx(-middle)
    if count == 1000:
        assert limits.at(-1.96) == pytest.approx(
            -np.quantile(pivots, norm.cdf(1.96), method="weibull")
        )
    # Beyond, at least as fast as Student's.
    faster = np.diff(at[[0, 4]]) - np.diff([t_score(float(z), 25.0) for z in Z[[0, 4]]])
    assert faster > -1e-9


def test_the_tail_is_as_much_wider_as_the_last_pivots():
    pivots = np.sort(3 * t.ppf(np.arange(1, 1000) / 1000, 12))
    limits = Studentised(0.0, 1.0, pivots, 12.0, float)
    assert limits.at(6.0) == pytest.approx(3 * t_score(6.0, 12.0), rel=1e-3)


def shares(values, n=40):
    return tuple(proportion_limits(value, n) for value in values)


@settings(max_examples=25)
@given(
    values=st.lists(st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.9, 1.0]), min_size=2, max_size=3),
    rho=st.sampled_from([-0.3, 0.0, 0.5, 0.95]),
    z=st.sampled_from([-3.0, -1.96, 1.0, 1.96]),
    signs=st.lists(st.sampled_from([-1.0, 1.0, 0.5]), min_size=3, max_size=3),
)
# Where the farthest point is not the one to which the usual start leads.
@example([0.0, 0.0, 0.3], -0.3, -3.0, [-1.0, -1.0, 1.0])
@example([0.0, 0.0, 0.0], 0.95, 5.0, [-1.0, 1.0, -1.0])
def test_the_limit_is_the_farthest_point_of_the_ellipsoid(values, rho, z, signs):
    """Against scipy's general optimiser from many starts."""
    weights, count = np.array(signs[: len(values)]), len(values)
    correlation = np.full((count, count), rho) + (1 - rho) * np.eye(count)
    parts = shares(values)
    limits = Profile(parts, weights, correlation, float("inf"))
    root = np.linalg.cholesky(correlation)

    def reached(direction):
        scores = abs(z) * root @ (direction / np.linalg.norm(direction))
        return np.sign(-z) * sum(
            w * part.at(float(score)) for w, part, score in zip(weights, parts, scores, strict=True)
        )

    starts = np.random.default_rng(0).normal(size=(6, count))
    best = min(minimize(reached, start, method="Nelder-Mead").fun for start in starts)
    assert np.sign(-z) * limits.at(z) == pytest.approx(best, abs=2e-4)


def test_independent_shares_square_and_add():
    """Newcombe's interval for .7 of 40 less .4 of 40, about."""
    parts = shares([0.7, 0.4])
    limits = Profile(parts, np.array([1.0, -1.0]), np.eye(2), float("inf"))
    low = 0.3 - np.hypot(0.7 - parts[0].at(-1.96), parts[1].at(1.96) - 0.4)
    high = 0.3 + np.hypot(parts[0].at(1.96) - 0.7, 0.4 - parts[1].at(-1.96))
    assert limits.at(-1.96) == pytest.approx(low, abs=0.01)
    assert limits.at(1.96) == pytest.approx(high, abs=0.01)


def test_what_rises_together_cancels():
    limits = Profile(shares([0.9, 0.9]), np.array([1.0, -1.0]), np.ones((2, 2)), float("inf"))
    assert [limits.at(z) for z in (-3.0, 3.0)] == pytest.approx([0, 0], abs=1e-12)


def test_one_estimate_has_its_own_limit():
    (part,) = shares([0.9])
    minus = Profile((part,), np.array([-1.0]), np.eye(1), float("inf"))
    assert minus.at(1.5) == pytest.approx(-part.at(-1.5))


@settings(max_examples=30)
@given(values=st.tuples(st.floats(0, 1), st.floats(0, 1)), rho=st.floats(-0.9, 0.99))
def test_limits_of_a_combination_rise(values, rho):
    correlation = np.array([[1, rho], [rho, 1]])
    limits = Profile(shares(values), np.array([1.0, -1.0]), correlation, float("inf"))
    at = [limits.at(float(z)) for z in Z[::4]]
    assert all(two >= one - 1e-4 for one, two in pairwise(at))


def test_the_score_of_a_boundary():
    line = Studentised(1.0, 2.0, np.empty(0), float("inf"), float)
    assert normal_score(line, 4.0, from_above=False) == pytest.approx(1.5)
    assert normal_score(Moved(line, 1.0), 4.0, from_above=True) == pytest.approx(1.0)
    # On a flat piece the cautious end counts: nothing lies above 1, everything reaches it.
    (perfect,) = shares([1.0])
    assert normal_score(perfect, 1.0, from_above=False) == 37
    assert normal_score(perfect, 1.0, from_above=True) == pytest.approx(0, abs=1e-6)
    assert np.isnan(normal_score(Fixed(np.nan, 9), 2.0, from_above=True))


@pytest.mark.parametrize("units", [2, 5, 6, 20])
def test_units_that_are_all_alike_show_what_a_sign_test_does(units):
    alike = Fixed(3.0, units)
    assert norm.cdf(normal_score(alike, 2.0, from_above=False)) == pytest.approx(0.5**units)
    assert norm.cdf(-normal_score(alike, 4.0, from_above=True)) == pytest.approx(0.5**units)
    reached = 0.5**units <= 0.025
    assert [alike.at(-1.96), alike.at(1.96)] == ([3.0, 3.0] if reached else [-np.inf, np.inf])
