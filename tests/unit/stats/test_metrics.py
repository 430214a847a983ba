import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.stats.metrics import (
    METRICS,
    accuracy,
    auroc,
    balanced_accuracy,
    class_accuracy,
    macro_recall,
    mean,
    pearson,
    r2,
    ratio_of_sums,
)


def data(seed=0, n=50):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n).astype(float)
    truth[:2] = [0, 1]
    return truth, rng.normal(size=n).round(1) + truth


def test_r2_by_hand():
    # errors 1, 0, 1 make 2; around the mean 3 the truth has 4 + 0 + 4 = 8.
    assert r2(np.array([1.0, 3, 5]), np.array([2.0, 3, 4])) == pytest.approx(0.75)


def test_balanced_accuracy_by_hand():
    truth = np.array([1.0, 1, 1, 1, 0])
    said = np.array([1.0, 1, 1, -1, -1])
    assert balanced_accuracy(truth, said) == pytest.approx((3 / 4 + 1) / 2)
    assert accuracy(truth, said) == pytest.approx(4 / 5)


def test_always_saying_no_is_worth_half():
    truth = np.r_[np.ones(3), np.zeros(97)]
    never = np.full(100, -1.0)
    assert accuracy(truth, never) == pytest.approx(0.97)
    assert balanced_accuracy(truth, never) == 0.5
    assert auroc(truth, never) == 0.5


def test_auroc_by_hand_with_a_tie():
    # Pairs (positive, negative): 3>1, 3>2, 2>1, 2=2: three and a half of four.
    assert auroc(np.array([1.0, 1, 0, 0]), np.array([3.0, 2, 1, 2])) == pytest.approx(3.5 / 4)


def test_several_classes_by_hand():
    # Of class 0 two of three are found, of class 1 one of one, of class 4 none of two.
    truth, said = np.array([0.0, 0, 0, 1, 4, 4]), np.array([0.0, 0, 4, 1, 1, 0])
    assert class_accuracy(truth, said) == pytest.approx(3 / 6)
    assert macro_recall(truth, said) == pytest.approx((2 / 3 + 1 + 0) / 3)


@given(seed=st.integers(0, 50), n_classes=st.integers(2, 6))
def test_the_names_of_classes_do_not_matter(seed, n_classes):
    rng = np.random.default_rng(seed)
    truth, said = rng.integers(0, n_classes, (2, 40)).astype(float)
    truth[:2] = [0, 1]
    other = rng.permutation(n_classes).astype(float)
    renamed = other[truth.astype(int)], other[said.astype(int)]
    assert class_accuracy(*renamed) == pytest.approx(float(class_accuracy(truth, said)))
    assert macro_recall(*renamed) == pytest.approx(float(macro_recall(truth, said)))
    # Of classes with as many rows each, both are the same number.
    even = np.repeat(np.arange(n_classes, dtype=float), 7)
    guess = rng.integers(0, n_classes, len(even)).astype(float)
    assert macro_recall(even, guess) == pytest.approx(float(class_accuracy(even, guess)))


def test_a_ratio_of_sums_by_hand():
    # 1 + 2 + 3 over 2 + 4 + 4; the mean of the three ratios would be 0.583.
    below = np.array([2.0, 4, 4])
    assert ratio_of_sums(below, np.array([1.0, 2, 3])) == pytest.approx(0.6)
    assert np.isnan(ratio_of_sums(-below, np.array([1.0, 2, 3])))
    assert np.isnan(ratio_of_sums(0 * below, np.array([1.0, 2, 3])))


@given(scale=st.floats(1e-12, 1e12), seed=st.integers(0, 20), cut=st.integers(1, 19))
def test_a_ratio_ignores_units_and_how_rows_are_gathered(scale, seed, cut):
    below, above = np.random.default_rng(seed).uniform(0.5, 1, (2, 20))
    expected = pytest.approx(float(ratio_of_sums(below, above)))
    assert ratio_of_sums(scale * below, scale * above) == expected
    gathered = [np.array([one[:cut].sum(), one[cut:].sum()]) for one in (below, above)]
    assert ratio_of_sums(*gathered) == expected


def test_pearson_by_hand():
    assert pearson(np.array([1.0, 2, 3]), np.array([1.0, 3, 2])) == pytest.approx(0.5)


def test_the_mean_needs_no_truth():
    assert mean(None, np.array([[1.0, 2, 6], [0, 0, 0]])).tolist() == [3, 0]


def test_ranges_and_chance_are_stated():
    assert (METRICS["r2"].floor, METRICS["r2"].ceiling) == (-np.inf, 1)
    assert (METRICS["mean"].floor, METRICS["mean"].ceiling) == (-np.inf, np.inf)
    assert np.isnan(METRICS["mean"].chance)
    for metric in METRICS.values():
        assert metric.floor < metric.ceiling
        assert np.isnan(metric.chance) or metric.floor <= metric.chance < metric.ceiling


def test_undefined_is_nan():
    ones, scores = np.ones(4), np.arange(4.0)
    assert np.isnan(auroc(ones, scores))
    assert np.isnan(balanced_accuracy(ones, scores))
    assert np.isnan(macro_recall(ones, scores))
    assert np.isnan(r2(ones, scores))
    assert np.isnan(pearson(scores, ones))


def test_many_predictions_at_once():
    truth, _ = data()
    batch = np.random.default_rng(1).normal(size=(2, 3, len(truth)))
    for metric in METRICS.values():
        together = metric.value(truth, batch)
        assert together.shape == (2, 3)
        assert together[1, 2] == pytest.approx(float(metric.value(truth, batch[1, 2])))


@given(scale=st.floats(0.01, 100), shift=st.floats(-1e4, 1e4), seed=st.integers(0, 5))
def test_r2_ignores_units_and_origin(scale, shift, seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=40)
    predicted = truth + rng.normal(size=40)
    moved = r2(truth * scale + shift, predicted * scale + shift)
    assert moved == pytest.approx(float(r2(truth, predicted)), rel=1e-5, abs=1e-7)


@given(seed=st.integers(0, 20), scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_auroc_ignores_monotone_maps(seed, scale, shift):
    truth, scores = data(seed)
    tenths = np.rint(scores * 10)  # whole numbers, so that no map makes or breaks a tie
    mapped = np.exp(scale * tenths / 50) + shift
    assert auroc(truth, mapped) == pytest.approx(float(auroc(truth, tenths)))
    assert auroc(truth, -tenths) == pytest.approx(1 - float(auroc(truth, tenths)))


@given(seed=st.integers(0, 20), name=st.sampled_from(sorted(METRICS)))
def test_weights_are_repeated_rows(seed, name):
    """The statistic of a resample equals the metric of the rows written out."""
    truth, scores = data(seed)
    metric, rng = METRICS[name], np.random.default_rng(seed)
    unit = rng.integers(0, 20, len(truth))
    unit[:20] = np.arange(20)
    weights = rng.multinomial(20, [1 / 20] * 20, size=3).astype(float)
    got = metric.resampled(truth, scores, unit, 20)(weights)
    for row, drawn in enumerate(weights):
        repeat = np.repeat(np.arange(len(truth)), drawn[unit].astype(int))
        assert got[row] == pytest.approx(
            float(metric.value(truth[repeat], scores[repeat])), nan_ok=True
        )
