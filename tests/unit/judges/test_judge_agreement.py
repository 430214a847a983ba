"""Agreement between judges: parity with SciPy and scikit-learn, by hand, and as properties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from sonde.core.errors import SondeError
from sonde.judges import agreement as module
from sonde.judges.agreement import judge_agreement, spearman, weighted_kappa
from sonde.stats.bootstrap import Bootstrap

FEW = Bootstrap(resamples=50)
SCORES = st.lists(st.integers(0, 20).map(lambda n: 5.0 * n), min_size=4, max_size=20)


def judged(n=60, noise=15.0, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.uniform(0, 100, n)
    return a, np.clip(a + rng.normal(5, noise, n), 0, 100)


def test_parity_with_scipy_and_scikit_learn():
    a, b = (column.round() for column in judged())
    assert spearman(a, b) == pytest.approx(spearmanr(a, b)[0], abs=1e-12)
    expected = cohen_kappa_score(a, b, weights="quadratic", labels=range(101))
    assert weighted_kappa(a, b) == pytest.approx(expected, abs=1e-12)


def test_ties_share_ranks_as_in_scipy():
    a, b = np.array([1.0, 1, 2, 3, 3, 3]), np.array([5.0, 4, 4, 4, 9, 9])
    assert spearman(a, b) == pytest.approx(spearmanr(a, b)[0], abs=1e-12)


def test_by_hand():
    a, b = np.array([0.0, 50, 100]), np.array([10.0, 60, 50])
    # Ranks 1 2 3 and 1 3 2: 1 - 6 (0 + 1 + 1) / (3 * 8) = 0.5.
    assert spearman(a, b) == pytest.approx(0.5)
    # Squared distances 100, 100, 2500, mean 900. By chance: var a 5000/3, var b 1400/3, means 10
    # apart, in all 6700/3.
    assert weighted_kappa(a, b) == pytest.approx(1 - 900 / (6700 / 3))
    found = judge_agreement(a, b, bootstrap=FEW)
    assert found.apart.value == pytest.approx(70 / 3)
    assert found.shift.value == pytest.approx(-10)


def test_answers_that_one_judge_left_out_are_counted():
    a, b = judged()
    with_gaps = [None, float("nan"), *a[2:]]
    found = judge_agreement(with_gaps, b, bootstrap=FEW)
    assert (found.n, found.left_out) == (58, 2)
    assert found.spearman.value == pytest.approx(spearman(a[2:], b[2:]))


def test_resampling_rows_is_counting_them_as_often_as_they_are_drawn():
    a, b = judged(n=12)
    drawn = np.array([0, 0, 0, 3, 4, 4, 7, 8, 9, 10, 11, 11])
    weights = np.bincount(drawn, minlength=12)[None].astype(float)
    expected = [
        spearmanr(a[drawn], b[drawn])[0],
        weighted_kappa(a[drawn], b[drawn]),
        np.abs(b - a)[drawn].mean(),
        (b - a)[drawn].mean(),
    ]
    assert module._statistics(a, b, weights)[0] == pytest.approx(expected)


def test_groups_are_the_units_of_the_intervals():
    a, b = judged(n=60)
    a, b = np.repeat(a, 4), np.repeat(b, 4)  # the same answer four times is one
    alone = judge_agreement(a, b, bootstrap=FEW)
    grouped = judge_agreement(a, b, [number // 4 for number in range(240)], FEW)
    assert (alone.spearman.n, grouped.spearman.n) == (240, 60)
    assert grouped.spearman.value == alone.spearman.value
    for name in ("spearman", "kappa", "apart", "shift"):
        wide, narrow = getattr(grouped, name), getattr(alone, name)
        assert 1.5 < (wide.high - wide.low) / (narrow.high - narrow.low) < 3


def test_a_judge_that_always_says_the_same_has_no_order():
    found = judge_agreement([50.0] * 5, [10.0, 20.0, 30.0, 40.0, 50.0], bootstrap=FEW)
    assert math.isnan(found.spearman.value)
    assert found.kappa.value == pytest.approx(0)
    assert math.isnan(weighted_kappa(np.full(4, 7.0), np.full(4, 7.0)))


@pytest.mark.parametrize(
    ("a", "b", "groups", "said"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0], None, "Judges of 3 and 2 answers"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], ["q"], "in groups of 1"),
        ([1.0, 2.0, None], [1.0, 2.0, 3.0], None, "Only 2 of 3 answers have a score of both"),
    ],
)
def test_what_cannot_be_compared_is_named(a, b, groups, said):
    with pytest.raises(SondeError, match=said):
        judge_agreement(a, b, groups)


@given(SCORES, st.data())
def test_spearman_sees_order_only_and_kappa_is_at_most_1(a, data):
    b = np.array(data.draw(st.lists(st.sampled_from(a), min_size=len(a), max_size=len(a))))
    first = np.array(a)
    one, other = spearman(first, b), spearman(np.sqrt(first) + 3, b)
    assert one == pytest.approx(other, nan_ok=True)
    assert one == pytest.approx(spearman(b, first), nan_ok=True)
    kappa = weighted_kappa(first, b)
    assert math.isnan(kappa) or -1 - 1e-9 <= kappa <= 1 + 1e-9
    assert weighted_kappa(b, first) == pytest.approx(kappa, nan_ok=True)
    if len(set(a)) > 1:
        assert spearman(first, first) == pytest.approx(1)
        assert weighted_kappa(first, first) == pytest.approx(1)
