import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom, false_discovery_control

from sonde.core.errors import SondeError
from sonde.stats.multiplicity import benjamini_hochberg, holm

p_values = arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1))


def test_holm_by_hand():
    # Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and never falling: .02 .03 .06 .06.
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_hochberg_by_hand():
    # Sorted .005 .01 .03 .04, times 4/1 4/2 4/3 4/4: .02 .02 .04 .04.
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])


@given(p=p_values)
def test_benjamini_hochberg_is_scipys(p):
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p, method="bh"))


@given(p=p_values, alpha=st.floats(0.001, 0.3))
def test_holm_rejects_what_stepping_down_rejects(p, alpha):
    order = np.argsort(p, kind="stable")
    rejected = np.zeros(len(p), bool)
    for step, one in enumerate(order):  # Holm's own words: stop at the first that fails
        if p[one] * (len(p) - step) > alpha:
            break
        rejected[one] = True
    assert ((holm(p) <= alpha) == rejected).all()


@given(p=p_values)
def test_adjusting_never_helps_nor_reorders(p):
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(p)
        assert ((adjusted >= p) & (adjusted <= 1)).all()
        assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    assert (holm(p) >= benjamini_hochberg(p) - 1e-12).all()


def test_holm_keeps_the_family_at_its_level():
    p = np.random.default_rng(0).random((2000, 5))
    alarms = sum((holm(row) <= 0.05).any() for row in p)
    assert binom.sf(alarms - 1, 2000, 0.05) > 0.001
    assert binom.cdf(alarms, 2000, 0.05) > 0.001


def test_no_tests_and_no_numbers():
    assert holm(np.zeros(0)).shape == benjamini_hochberg(np.zeros(0)).shape == (0,)
    with pytest.raises(SondeError, match="between 0 and 1"):
        holm(np.array([0.2, np.nan]))
    with pytest.raises(SondeError, match="between 0 and 1"):
        benjamini_hochberg(np.array([1.2]))
