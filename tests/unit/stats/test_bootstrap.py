import numpy as np
import pytest

from sonde.core.errors import SondeError
from sonde.stats import bootstrap
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.metrics import METRICS


def mean_of(values):
    return lambda weights: weights @ values / weights.sum(axis=1)


def test_the_interval_of_a_mean_is_the_normal_one():
    values = np.random.default_rng(0).normal(3, 2, size=400)
    (found,) = Bootstrap(resamples=4000).intervals(mean_of(values), 400)
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=half / 10)
    assert found.high == pytest.approx(values.mean() + half, abs=half / 10)
    assert (found.n, found.level) == (400, 0.95)


def test_two_units_by_hand():
    # Resamples of (0, 1) have means 0, 1/2, 1 with chances 1/4, 1/2, 1/4.
    draws = np.concatenate(list(Bootstrap(resamples=4000).weights(2)))
    assert set(map(tuple, draws)) == {(2.0, 0.0), (1.0, 1.0), (0.0, 2.0)}
    assert (draws[:, 0] == 1).mean() == pytest.approx(0.5, abs=0.03)


def test_grouped_rows_widen_the_interval():
    """Ten copies of each row carry no more information than one."""
    rng = np.random.default_rng(1)
    truth = np.tile([0.0, 1.0], 50)
    scores = truth + rng.normal(size=100)
    once = METRICS["auroc"].resampled(truth, scores, np.arange(100), 100)
    many = METRICS["auroc"].resampled(
        np.repeat(truth, 10), np.repeat(scores, 10), np.repeat(np.arange(100), 10), 100
    )
    rows = METRICS["auroc"].resampled(
        np.repeat(truth, 10), np.repeat(scores, 10), np.arange(1000), 1000
    )
    single, grouped = Bootstrap().intervals(
        lambda weights: np.stack([once(weights), many(weights)], axis=1), 100
    )
    (naive,) = Bootstrap().intervals(rows, 1000)
    assert (grouped.low, grouped.high) == pytest.approx((single.low, single.high))
    assert naive.high - naive.low < 0.5 * (single.high - single.low)


def test_seeded_and_independent_of_the_pieces(monkeypatch):
    values = np.random.default_rng(0).normal(size=50)
    (whole,) = Bootstrap(seed=3).intervals(mean_of(values), 50)
    (other,) = Bootstrap(seed=4).intervals(mean_of(values), 50)
    monkeypatch.setattr(bootstrap, "ENTRIES_AT_ONCE", 77)
    (pieces,) = Bootstrap(seed=3).intervals(mean_of(values), 50)
    assert (pieces.low, pieces.high) == pytest.approx((whole.low, whole.high), rel=1e-12)
    assert whole.low != pytest.approx(other.low, rel=1e-6)


def test_undefined_resamples_are_left_out():
    def statistic(weights):
        values = np.where(weights[:, 0] > 0, 1.0, np.nan)
        return np.stack([values, np.full(len(weights), np.nan)], axis=1)

    first, never = Bootstrap().intervals(statistic, 5)
    assert (first.low, first.high) == (1.0, 1.0)
    assert np.isnan([never.value, never.low, never.high]).all()


def test_nonsense_is_refused():
    with pytest.raises(SondeError, match="level between 0 and 1"):
        Bootstrap(level=95.0)
