"""Intervals of the scores of several classes hold what they should."""

import numpy as np
import pytest

from sonde.stats.effects import interval_of
from sonde.stats.proportion import wilson
from sonde.stats.scores import Scores

RECALLS = np.array([0.9, 0.7, 0.95])


def drawn(seed, sizes, recalls=RECALLS, rows_a_unit=1):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes), dtype=float), sizes)
    right = rng.random(len(truth)) < recalls[truth.astype(int)]
    said = np.where(right, truth, (truth + 1) % len(sizes))
    truth, said = np.repeat(truth, rows_a_unit), np.repeat(said, rows_a_unit)
    unit = np.repeat(np.arange(len(right)), rows_a_unit).astype(str)
    return unit, said, truth


def test_class_accuracy_has_wilsons_interval():
    unit, said, truth = drawn(0, [30, 20, 10])
    found = interval_of(Scores("class_accuracy", unit, said, truth))
    want = wilson(int((said == truth).sum()), 60)
    assert (found.value, found.low, found.high) == pytest.approx((want.value, want.low, want.high))


@pytest.mark.parametrize(
    ("sizes", "rows"), [([60, 40, 20], 1), ([90, 40, 8], 1), ([40, 30, 20], 5)]
)
def test_the_interval_of_macro_recall_holds_the_true_one(sizes, rows):
    held, times = 0, 300
    for seed in range(times):
        unit, said, truth = drawn(seed, sizes, rows_a_unit=rows)
        found = interval_of(Scores("macro_recall", unit, said, truth))
        held += found.low <= RECALLS.mean() <= found.high
    assert 0.91 <= held / times <= 0.995


def test_all_right_is_as_sure_as_the_smallest_classes_allow():
    unit, said, truth = drawn(0, [100, 5], np.ones(2))
    found = interval_of(Scores("macro_recall", unit, said, truth))
    assert (found.value, found.high) == (1.0, 1.0)
    even = drawn(0, [52, 53], np.ones(2))
    assert found.low < interval_of(Scores("macro_recall", *even)).low < 1
