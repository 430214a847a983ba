from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import sem, t, ttest_rel

from sonde.core.errors import SondeError
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.delong import delong_difference
from sonde.stats.effects import combination, difference, interval_of
from sonde.stats.metrics import METRICS
from sonde.stats.scores import Scores

FAST = Bootstrap(400)


def names(n, prefix="unit"):
    return np.array([f"{prefix} {number:04}" for number in range(n)])


def scores(metric, seed=0, n=120, *, shift=1.0, of=0, **more):
    """Make a probe's scores; the truth depends on ``of`` alone, so several may share it."""
    rng = np.random.default_rng(of)
    truth = (np.arange(n) % 2).astype(float) if metric != "r2" else rng.normal(size=n)
    noise = np.random.default_rng([seed, of, 1]).normal(size=n)
    said = truth * 2 - 1 + noise / shift if metric != "r2" else truth + noise / (2 * shift)
    if metric in ("class_accuracy", "macro_recall"):
        truth = (np.arange(n) % 3).astype(float)
        said = np.where(noise < 0.8 * shift, truth, (truth + 1) % 3)
    if metric == "share":
        said = 1 / (1 + np.exp(-said))
    if metric == "ratio":  # what stands below is positive
        truth, said = 1 + truth, 0.4 + truth + noise / (2 * shift)
    return Scores(metric, names(n), said, truth if METRICS[metric].has_truth else None, **more)


def renamed(one, prefix):
    return Scores(one.metric, names(len(one), prefix), one.predicted, one.truth)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_interval_holds_the_value_and_widens_with_the_level(name):
    effect = difference(scores(name), 0, FAST)
    assert effect.interval.value == pytest.approx(scores(name).value)
    found = [effect.interval_at(level) for level in (0.5, 0.8, 0.95, 0.999, 0.9999999)]
    for inner, outer in pairwise(found):
        assert outer.low < inner.low < inner.value < inner.high < outer.high
    assert effect.interval == found[2]
    assert interval_of(scores(name), FAST) == found[2]
    assert (effect.design, effect.interval.n, effect.n_shared) == ("single", 120, 120)


@pytest.mark.parametrize("name", sorted(METRICS))
@settings(max_examples=4)
@given(alpha=st.floats(1e-9, 0.9), seed=st.integers(0, 3), against=st.booleans())
def test_p_values_agree_with_intervals(name, alpha, seed, against):
    """p is below alpha / 2 just where the boundary is outside the interval, on that side."""
    other = scores(name, seed + 1, shift=0.7) if against else 0
    effect = difference(scores(name, seed), other, FAST)
    found = effect.interval_at(1 - alpha)
    for boundary in (found.low, found.high):
        for step in (-1e-6, 1e-6):
            lies_above = found.low > boundary + step
            lies_below = found.high < boundary + step
            assert (effect.p_above(boundary + step) < alpha / 2) == lies_above
            assert (effect.p_below(boundary + step) < alpha / 2) == lies_below


@pytest.mark.parametrize("name", sorted(METRICS))
def test_p_values_are_small_but_never_zero(name):
    effect = difference(scores(name, shift=3.0), -5 if name == "mean" else -0.9, FAST)
    assert 0 < effect.p_above(0) < 1e-6
    assert effect.p_below(0) == pytest.approx(1)


def test_a_paired_difference_of_normal_means_is_the_t_test():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.2, 1, (2, 400))
    b = b + a
    effect = difference(*(Scores("mean", names(400), one, None) for one in (a, b)), Bootstrap(4000))
    theirs = ttest_rel(a, b)
    interval = theirs.confidence_interval()
    assert effect.standard_error == pytest.approx((a - b).std(ddof=1) / 20)
    reach = (interval.high - interval.low) / 2
    assert effect.interval.low == pytest.approx(interval.low, abs=0.08 * reach)
    assert effect.interval.high == pytest.approx(interval.high, abs=0.08 * reach)
    assert effect.p_above(0) == pytest.approx(
        ttest_rel(a, b, alternative="greater").pvalue, rel=0.3
    )


def test_a_paired_difference_of_aurocs_is_delongs():
    a, b = (scores("auroc", seed, 2000, shift=0.5) for seed in (0, 1))
    effect = difference(a, b)
    theirs = delong_difference(a.truth, a.predicted, b.predicted)
    assert effect.interval.value == pytest.approx(theirs.value)
    assert 1.96 * effect.standard_error == pytest.approx((theirs.high - theirs.low) / 2, rel=1e-4)
    assert effect.interval.low == pytest.approx(theirs.low, abs=5e-4)
    assert effect.interval.high == pytest.approx(theirs.high, abs=5e-4)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_design_follows_from_the_units(name):
    a, b = scores(name, 0), scores(name, 1)
    paired = difference(a, b, FAST)
    apart = difference(a, renamed(b, "other"), FAST)
    assert (paired.design, paired.n_shared, paired.interval.n) == ("paired", 120, 120)
    assert (apart.design, apart.n_shared, apart.interval.n) == ("unpaired", 0, 240)
    alone = [difference(one, 0, FAST).standard_error for one in (a, b)]
    assert apart.standard_error == pytest.approx(np.hypot(*alone))
    half = Scores(name, np.r_[names(60), names(60, "new")], b.predicted, b.truth)
    partly = difference(a, half, FAST)
    assert (partly.design, partly.n_shared, partly.interval.n) == ("partly paired", 60, 180)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_order_of_rows_does_not_matter(name):
    a, b = scores(name, 0), scores(name, 1)
    order = np.random.default_rng(0).permutation(len(a))
    truth = None if b.truth is None else b.truth[order]
    mixed = Scores(name, b.unit[order], b.predicted[order], truth)
    one, other = difference(a, b, FAST).interval, difference(a, mixed, FAST).interval
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-9)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_repeated_rows_of_a_unit_tell_nothing_new(name):
    """Ten copies of each row: as if there were one, but for what a small sample cannot know."""
    one = scores(name, n=400)
    truth = None if one.truth is None else np.repeat(one.truth, 10)
    ten = Scores(name, np.repeat(one.unit, 10), np.repeat(one.predicted, 10), truth)
    once, tenfold = interval_of(one, FAST), interval_of(ten, FAST)
    assert tenfold.n == 400
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high), abs=2e-3)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_cross_validated_scores_vary_three_times_as_much(name):
    plain = difference(scores(name), 0, FAST)
    wide = difference(scores(name, cross_validated=True), 0, FAST)
    assert wide.standard_error == pytest.approx(np.sqrt(3) * plain.standard_error)
    assert wide.interval_at(0.7).low < plain.interval_at(0.7).low
    assert wide.interval_at(0.7).high > plain.interval_at(0.7).high
    mixed = difference(scores(name, cross_validated=True), renamed(scores(name), "b"), FAST)
    assert mixed.standard_error == pytest.approx(np.sqrt(4) * plain.standard_error)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_an_average_and_a_trend_are_combinations(name):
    parts = [scores(name, seed) for seed in range(3)]
    values = [one.value for one in parts]
    average = combination(parts, [1 / 3] * 3, FAST)
    trend = combination(parts, [-1, 0, 1], FAST, constant=2)
    assert average.interval.value == pytest.approx(np.mean(values))
    assert average.interval.low < np.mean(values) < average.interval.high
    assert average.standard_error < difference(parts[0], 0, FAST).standard_error
    assert trend.interval.value == pytest.approx(2 + values[2] - values[0])
    pair = difference(parts[2], parts[0], FAST)
    assert trend.interval.low == pytest.approx(2 + pair.interval.low, abs=1e-5)


def test_perfect_separation_is_not_certainty():
    truth = np.r_[np.zeros(15), np.ones(15)]
    perfect = {
        name: Scores(name, names(30), truth * 2 - 1, truth) for name in ("auroc", "accuracy")
    }
    auroc = interval_of(perfect["auroc"])
    assert (auroc.value, auroc.high) == (1, 1)
    assert 0.8 < auroc.low < 0.95
    right = difference(perfect["accuracy"], perfect["accuracy"])
    # Two answers that agree in all of 30 rows: as two more rows on which they disagreed.
    assert right.interval.high == pytest.approx(1.96 * np.sqrt(2) / 30, rel=0.3)
    assert right.interval.low == pytest.approx(-right.interval.high)
    assert right.standard_error > 0


def test_zeros_and_ones_are_a_proportion():
    said = np.r_[np.ones(18), np.zeros(12)]
    mean = interval_of(Scores("mean", names(30), said, None))
    accuracy = interval_of(Scores("accuracy", names(30), said * 2 - 1, np.ones(30)))
    assert (mean.low, mean.high) == (accuracy.low, accuracy.high)


def test_units_to_decide():
    """Twice the standard error away at 80 % power: (1.96 + 0.84)^2 / 4 times the units."""
    effect = difference(scores("mean"), 0, FAST)
    boundary = effect.interval.value - 2 * effect.standard_error
    assert effect.units_to_decide(boundary) == pytest.approx(
        120 * (1.96 + 0.8416) ** 2 / 4, rel=1e-3
    )
    assert effect.units_to_decide(effect.interval.value) == np.inf


def test_pairs_of_items_that_share_none_are_independent_rows():
    one = scores("accuracy")
    items = names(240)
    paired = Scores("accuracy", items[::2], one.predicted, one.truth, other=items[1::2])
    rows, pairs = interval_of(one), interval_of(paired)
    assert pairs.n == 240
    assert (pairs.low, pairs.high) == pytest.approx((rows.low, rows.high))


@pytest.mark.parametrize("name", ["mean", "accuracy", "auroc", "r2"])
def test_items_in_many_pairs_widen_the_interval(name):
    """Where an item decides its pairs, thirty pairs of it are not thirty rows."""
    rng = np.random.default_rng(0)
    first, second = np.triu_indices(30, 1)
    worth = rng.normal(size=30) * 2
    truth = (rng.random(len(first)) < 0.5).astype(float)
    said = truth - 0.5 + worth[first] + worth[second] + rng.normal(size=len(first))
    truth = said + worth[first] + worth[second] if name == "r2" else truth
    items = names(30)
    pairs = Scores(name, items[first], said, None if name == "mean" else truth, other=items[second])
    rows = Scores(name, names(len(first)), said, pairs.truth)
    wide, narrow = (interval_of(one, FAST) for one in (pairs, rows))
    assert wide.n == 30
    assert wide.high - wide.low > 1.1 * (narrow.high - narrow.low)


def test_what_is_undefined_is_nan_and_not_decided():
    truth = np.zeros(4)
    effect = difference(Scores("auroc", names(4), np.arange(4.0), truth), 0.5)
    assert np.isnan([effect.interval.value, effect.interval.low, effect.p_above(0)]).all()
    lone = interval_of(Scores("mean", np.array(["a", "a"]), np.array([1.0, 3.0]), None))
    assert lone.value == 2
    assert np.isnan(lone.low)
    missing = interval_of(Scores("mean", names(2), np.array([1.0, np.nan]), None))
    assert np.isnan(missing.high)


def test_p_values_of_a_few_units_are_numbers():
    lone = Scores("auroc", names(5), np.array([0.0, 1, 2, 0, 1]), np.array([0.0, 1, 0, 1, 0]))
    for boundary in (-0.1, 0, 0.5, 1, 1.1):  # one degree of freedom reaches beyond any float
        effect = difference(lone, boundary, FAST)
        assert 0 <= min(effect.p_above(0), effect.p_below(0)) <= 0.5


def test_few_units_are_held_to_students_t():
    x = np.array([0.3, 0.5, 0.9])
    found = interval_of(Scores("mean", names(3), x, None))
    assert (found.low, found.high) == pytest.approx(t.interval(0.95, 2, x.mean(), sem(x)))
    assert np.isnan(interval_of(Scores("pearson", names(2), x[:2], x[1:])).low)  # always 1 or -1
    same = difference(
        Scores("mean", names(2), x[:2] + 1, None), Scores("mean", names(2), x[:2], None)
    )
    assert np.isnan(same.interval.low)
    assert same.p_above(0) == pytest.approx(0.25)  # two of two, by chance one time in four
    three = Scores("pearson", names(3), x, np.array([0.2, 0.1, 0.9]))
    assert np.isnan(interval_of(three).low)


def test_constant_values_show_no_spread():
    found = interval_of(Scores("mean", names(9), np.full(9, 3.0), None))
    assert (found.low, found.value, found.high) == (3, 3, 3)
    perfect = Scores("r2", names(9), np.arange(9.0), np.arange(9.0))
    assert interval_of(perfect).low == 1


def test_mistakes_are_refused():
    with pytest.raises(SondeError, match="different metrics are compared: auroc, mean"):
        difference(scores("auroc"), scores("mean"))
    with pytest.raises(SondeError, match="1 scores and 2 weights"):
        combination([scores("mean")], [1, 2])
    with pytest.raises(SondeError, match="no interval at level 95"):
        difference(scores("mean"), 0, FAST).interval_at(95.0)


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_handful_of_rows_gives_an_interval_or_nan(name, n):
    rng = np.random.default_rng(n)
    truth = (np.arange(n) % 2).astype(float)
    for _ in range(5):
        said = rng.normal(size=n).round(1)
        if name == "share":
            said = said.clip(0, 1)
        a = Scores(name, names(n), said, truth)
        turned = 1 - said if name == "share" else -said
        b = Scores(name, names(n), turned, truth, other=np.roll(names(n), 1))
        for effect in (difference(a, 0, FAST), difference(a, b, FAST)):
            found = effect.interval
            assert np.isnan(found.low) or found.low <= found.value <= found.high
            assert np.isnan(found.low) or 0 < effect.p_above(0.01) <= 1


def test_shares_and_their_differences_stay_on_the_scale():
    """Sparse scores, as of answers that hardly ever show a trait: a bootstrap-t knows no end."""
    rare = np.zeros(24)
    rare[[3, 8]] = 0.1, 0.36
    as_mean, as_share = (interval_of(Scores(m, names(24), rare, None)) for m in ("mean", "share"))
    assert as_mean.low < 0
    assert as_share.low == 0
    assert as_share.high == as_mean.high
    sure = Scores("share", names(24), np.where(rare > 0, 0.9, 1.0), None)
    apart = difference(sure, Scores("share", names(24), rare, None)).interval_at(1 - 1e-12)
    assert -1 <= apart.low < apart.value < apart.high <= 1


def test_a_share_outside_the_scale_is_refused():
    with pytest.raises(SondeError, match="between 0 and 1"):
        Scores("share", names(2), np.array([0.5, 1.5]), None)
