import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.stats.bootstrap import Bootstrap
from sonde.stats.metrics import METRICS
from sonde.stats.scores import Scores
from sonde.stats.studentised import Drawn, Together, studentised
from sonde.stats.sums import MEAN, R2
from sonde.stats.units import shared_units

SMOOTH = ("mean", "ratio", "r2", "pearson")


def made(metric, seed=0, n=30, groups=12):
    rng = np.random.default_rng([seed, 7])
    unit = np.array([f"group {number:02}" for number in rng.integers(0, groups, n)])
    truth = rng.normal(size=n)
    if metric == "ratio":
        truth = 1 + np.abs(truth)
    return Scores(metric, unit, truth + rng.normal(size=n), truth)


@pytest.mark.parametrize("name", SMOOTH)
@settings(max_examples=15)
@given(seed=st.integers(0, 30))
def test_the_variance_is_the_infinitesimal_jackknifes(name, seed):
    """In a resample: sum over units of weight * (slope of the score by the weight)^2."""
    parts = [made(name, seed), made(name, seed + 1)]
    shared = shared_units(parts)
    smooth, weights = METRICS[name].smooth, np.array([1.0, -0.5])
    n = shared.n
    statistics = [
        METRICS[name].resampled(part.truth, part.predicted, units.first, n)
        for part, units in zip(parts, shared.parts, strict=True)
    ]
    sums = tuple(
        np.stack([units.sums(column) for column in smooth.terms(part.truth, part.predicted).T], 1)
        for part, units in zip(parts, shared.parts, strict=True)
    )
    drawn = np.random.default_rng(seed).multinomial(n, [1 / n] * n, size=4).astype(float)
    value, variance = Together(sums, tuple(weights), smooth).resampled(drawn)

    def score(weights_of_units):
        return weights @ [one(weights_of_units) for one in statistics]

    assert value == pytest.approx(score(drawn))
    steps = [(score(drawn + 1e-6 * one) - score(drawn - 1e-6 * one)) / 2e-6 for one in np.eye(n)]
    expected = n / (n - 1) * (drawn.T * np.square(steps)).sum(axis=0)
    assert variance == pytest.approx(expected, rel=1e-4)


def test_pivots_by_hand():
    # Deviations 1 and -2 of errors 0.5 and 4; the third has none of its own and takes the data's.
    drawn = Drawn(1.0, 2.0, np.array([2.0, -1.0, 4.0]), np.array([0.5, 4.0, 0.0]))
    assert drawn.pivots().tolist() == [-0.5, 1.5, 2.0]


def test_independent_parts_are_drawn_apart():
    """Of equal values of other units, a shared draw would leave no difference at all."""
    values = np.random.default_rng(0).exponential(size=40)
    parts = [
        Scores("mean", np.array([f"{name} {n:02}" for n in range(40)]), values, None)
        for name in ("a", "b")
    ]
    value, error, limits = studentised(parts, [1.0, -1.0], shared_units(parts), MEAN, Bootstrap())
    assert value == 0
    assert error == pytest.approx(np.sqrt(2) * values.std(ddof=1) / np.sqrt(40))
    assert limits.at(1.96) == pytest.approx(2 * error, rel=0.15)
    assert limits.at(-1.96) == pytest.approx(-2 * error, rel=0.15)


def test_limits_of_r2_stay_below_one():
    scores = made("r2", n=12, groups=100)
    _, _, limits = studentised([scores], [1.0], shared_units([scores]), R2, Bootstrap())
    assert limits.at(5.0) < 1
    assert limits.at(-5.0) < scores.value - 1
