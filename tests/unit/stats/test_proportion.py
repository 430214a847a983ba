import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from sonde.core.errors import SondeError
from sonde.stats.proportion import effective_rows, wilson


def test_wilson_by_hand():
    # All of n right: n / (n + z^2) to 1, here 30 / (30 + 1.96^2).
    found = wilson(30, 30)
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(30 / (30 + 1.959964**2), rel=1e-6)


@given(n=st.integers(1, 500), share=st.floats(0, 1), level=st.sampled_from([0.5, 0.95, 0.999]))
def test_wilson_is_scipys(n, share, level):
    successes = round(share * n)
    theirs = binomtest(successes, n).proportion_ci(level, method="wilson")
    ours = wilson(successes, n, level)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_groups_that_are_alike_count_once():
    """20 groups of 10 equal rows tell as much as 20 rows."""
    variance = 0.25 / 20
    assert effective_rows(0.5, variance, 200, alike=10.0) == pytest.approx(20, rel=1e-6)
    # Groups that tell nothing of each other's rows cost little, and nothing as they grow many.
    assert effective_rows(0.5, 0.25 / 20000, 20000, alike=10.0) == pytest.approx(20000, rel=0.01)


def test_perfect_groups_count_as_alike():
    assert effective_rows(1.0, 0.0, 200, alike=10.0) == pytest.approx(20)


def test_nonsense_is_refused():
    with pytest.raises(SondeError, match="3 of 2"):
        wilson(3, 2)
