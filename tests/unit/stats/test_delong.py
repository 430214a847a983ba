import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from sonde.core.errors import SondeError
from sonde.stats.delong import (
    auroc_limits,
    delong_difference,
    delong_interval,
    model_variance,
    placements,
)
from sonde.stats.metrics import auroc


def data(seed, n=24):
    """Scores with ties, of two probes."""
    rng = np.random.default_rng(seed)
    truth = np.r_[np.zeros(n // 2), np.ones(n - n // 2)]
    first = (truth + rng.normal(size=n)).round(1)
    return truth, first, (first + rng.normal(size=n)).round(1)


def over_pairs(truth, predicted):
    """Compare every positive with every negative: 1 where it is above, 1/2 where level."""
    above, below = predicted[truth > 0], predicted[truth == 0]
    return (above[:, None] > below) + (above[:, None] == below) / 2


def test_placements_by_hand():
    # Positives 3 and 2, negatives 1 and 2: 3 beats both, 2 beats one and is level with one.
    truth, scores = np.array([1.0, 1, 0, 0]), np.array([3.0, 2, 1, 2])
    assert placements(truth, scores).tolist() == [1, 0.75, 1, 0.75]


@given(seed=st.integers(0, 100))
def test_the_variance_is_that_over_all_pairs(seed):
    """DeLong, DeLong and Clarke-Pearson 1988, equations 4 to 6, written out."""
    truth, first, second = data(seed)
    one, other = over_pairs(truth, first), over_pairs(truth, second)
    rows = np.cov(one.mean(axis=1), other.mean(axis=1)) / len(one)
    columns = np.cov(one.mean(axis=0), other.mean(axis=0)) / one.shape[1]
    covariance = rows + columns
    z = norm.ppf(0.975)
    found = delong_interval(truth, first)
    assert found.value == pytest.approx(float(auroc(truth, first)))
    assert found.high - found.value == pytest.approx(z * covariance[0, 0] ** 0.5)
    apart = delong_difference(truth, first, second)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert apart.value == pytest.approx(one.mean() - other.mean())
    assert apart.value - apart.low == pytest.approx(z * variance**0.5)


def test_a_probe_does_not_differ_from_itself():
    truth, first, _ = data(0)
    found = delong_difference(truth, first, 2 * first)
    assert (found.low, found.value, found.high) == (0, 0, 0)


def test_one_row_of_a_class_has_no_variance():
    with pytest.raises(SondeError, match="1 positive and 3 negative"):
        delong_interval(np.array([1.0, 0, 0, 0]), np.arange(4.0))


def test_the_model_of_exponential_scores():
    """Hanley and McNeil's variance, for classes of one size, against its own long form."""
    theta, n = 0.9, 25
    one, two = theta / (2 - theta), 2 * theta**2 / (1 + theta)
    long = theta * (1 - theta) + (n - 1) * (one - theta**2 + two - theta**2)
    assert model_variance(theta, n, n) == pytest.approx(long / n**2)


def test_limits_follow_delong_in_large_samples_and_the_model_at_perfect_separation():
    large, _ = auroc_limits(0.8, (5000, 5000), 1.0, 10.0, 2 * model_variance(0.8, 5000, 5000))
    spread = (large.at(1e-3) - large.at(-1e-3)) / 2e-3
    assert spread == pytest.approx((2 * model_variance(0.8, 5000, 5000)) ** 0.5, rel=1e-2)
    perfect, df = auroc_limits(1.0, (15, 15), 1.0, 10.0, 0.0)
    low = perfect.at(-1.96)
    assert df == np.inf
    assert 1 - low == pytest.approx(1.96 * model_variance(low, 15, 15) ** 0.5)
    assert perfect.at(1.96) == 1
