from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

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


def test_the_draws_depend_on_seed_units_and_stream_alone():
    def drawn(resamples, seed=3, stream=0):
        return np.concatenate(list(Bootstrap(resamples, seed=seed).weights(50, stream)))

    assert (drawn(40) == drawn(3000)[:40]).all()
    assert (drawn(3000).sum(axis=1) == 50).all()
    assert (drawn(40) != drawn(40, seed=4)).any()
    assert (drawn(40) != drawn(40, stream=1)).any()


def test_many_units_are_drawn_alike(monkeypatch):
    """What is kept for the next score is what would be drawn again."""
    kept = np.concatenate(list(Bootstrap(30).weights(700)))
    monkeypatch.setattr(bootstrap, "ENTRIES_KEPT", 0)
    assert (np.concatenate(list(Bootstrap(30).weights(700))) == kept).all()


def test_every_unit_is_drawn_once_on_average():
    draws = np.concatenate(list(Bootstrap(4000).weights(300)))
    assert draws.mean(axis=0) == pytest.approx(np.ones(300), abs=0.1)
    # Multinomial counts: variance 1 - 1/n, covariance -1/n.
    assert draws.var() == pytest.approx(1 - 1 / 300, rel=0.01)


@pytest.mark.parametrize("name", ["mean", "r2", "auroc"])
def test_bca_is_scipys(name):
    """From the same resamples; scipy adds none to those it is given."""
    rng = np.random.default_rng(5)
    truth = np.tile([0.0, 1.0], 20)
    predicted = rng.exponential(size=40) + truth
    statistic = METRICS[name].resampled(truth, predicted, np.arange(40), 40)
    draws = np.concatenate([statistic(part) for part in Bootstrap(500).weights(40)])

    def value(rows):
        return METRICS[name].value(truth[rows], predicted[rows])

    theirs = stats.bootstrap(
        (np.arange(40),),
        value,
        n_resamples=0,
        method="BCa",
        vectorized=False,
        bootstrap_result=SimpleNamespace(bootstrap_distribution=draws),
    ).confidence_interval
    (ours,) = Bootstrap(500).intervals(statistic, 40, "bca")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_bca_moves_with_the_skewness():
    values = np.random.default_rng(0).exponential(size=60)
    (plain,) = Bootstrap().intervals(mean_of(values), 60)
    (moved,) = Bootstrap().intervals(mean_of(values), 60, "bca")
    assert moved.low > plain.low
    assert moved.high > plain.high


def test_pairs_of_items_weigh_as_often_as_both_are_drawn():
    # Rows (a, b), (b, c), (a, c). With a drawn twice and b once, only (a, b) is there.
    values = np.array([3.0, 5.0, 7.0])
    statistic = bootstrap.over_pairs(mean_of(values), np.array([0, 1, 0]), np.array([1, 2, 2]))
    assert statistic(np.array([[2.0, 1.0, 0.0], [1.0, 1.0, 1.0]])).tolist() == [3.0, 5.0]


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
