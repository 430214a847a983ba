import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.stats.agreement import agreement_of_rankings, agreement_with_pairs, kendall_tau


def test_pairs_by_hand():
    score = np.array([3.0, 2.0, 1.0, 1.0])
    first, second = np.array([0, 1, 2, 2, 3]), np.array([1, 2, 0, 3, 1])
    outcome = np.array([1.0, 0.0, 0.0, 1.0, 0.5])  # right, wrong, right, undecided, a tie
    found = agreement_with_pairs(score, first, second, outcome)
    assert found.accuracy.value == 2.5 / 4
    assert (found.n, found.ties, found.undecided) == (4, 1, 1)


def test_ties_alone_have_no_agreement():
    with pytest.raises(SondeError, match="has a winner"):
        agreement_with_pairs(np.arange(2.0), np.array([0]), np.array([1]), np.array([0.5]))


def test_tau_by_hand():
    """Of the pairs of (1, 2, 3, 4) and (1, 3, 2, 4) five agree and one does not."""
    assert abs(kendall_tau(np.arange(4.0), np.array([1.0, 3, 2, 4])) - 4 / 6) < 1e-12


def test_the_interval_holds_its_level():
    """Normal pairs with correlation r have tau = 2 asin(r) / pi."""
    rng = np.random.default_rng(0)
    true, inside = 2 * np.arcsin(0.6) / np.pi, 0
    for _ in range(200):
        a = rng.normal(size=40)
        b = 0.6 * a + 0.8 * rng.normal(size=40)
        found = agreement_of_rankings(a, b)
        inside += found.low <= true <= found.high
    assert 183 <= inside <= 198  # 95 % of 200, give or take 2.2 standard deviations


@given(st.lists(st.integers(0, 6), min_size=4, max_size=25), st.integers(0, 1000))
def test_tau_without_an_item_is_tau_of_the_others(values, seed):
    from sonde.stats.agreement import _without_each

    a = np.array(values, float)
    b = np.random.default_rng(seed).integers(0, 5, len(a)).astype(float)
    found = _without_each(a, b)
    for item in range(len(a)):
        alone = kendall_tau(np.delete(a, item), np.delete(b, item))
        assert abs(found[item] - (0.0 if np.isnan(alone) else alone)) < 1e-9


def test_cross_validated_rankings_have_a_wider_interval_by_hand():
    """On Fisher's scale the error is sqrt(3) times as large."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=30)
    b = a + rng.normal(size=30)
    given_, fitted = (agreement_of_rankings(a, b, cross_validated=it) for it in (False, True))
    assert fitted.value == given_.value
    reach = [np.arctanh(it.high) - np.arctanh(it.low) for it in (given_, fitted)]
    assert abs(reach[1] / reach[0] - 3**0.5) < 1e-9


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=30, unique=True))
def test_a_rising_map_changes_nothing(values):
    a = np.round(np.array(values), 3)
    b = np.cos(np.arange(len(a)))
    one, other = agreement_of_rankings(a, b), agreement_of_rankings(3 * a + 1, b)
    assert np.allclose([one.value, one.low, one.high], [other.value, other.low, other.high],
                       equal_nan=True)  # fmt: skip
