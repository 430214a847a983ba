import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import nctdtrinc
from scipy.stats import binom, ttest_rel

from sonde.core.errors import SondeError
from sonde.stats.effect_sizes import cohens_d, hedges_correction


def test_unpaired_by_hand():
    # Means 4 and 2; squares around them 2 + 2 over 4 degrees of freedom make s = 1.
    d = cohens_d(np.array([3.0, 4, 5]), np.array([1.0, 2, 3]), corrected=False)
    assert (d.value, d.n, d.level) == (pytest.approx(2.0), 6, 0.95)


def test_paired_by_hand():
    # Differences 1, 2, 3: mean 2, standard deviation 1.
    a, b = np.array([2.0, 4, 6]), np.array([1.0, 2, 3])
    d = cohens_d(a, b, paired=True, corrected=False)
    assert (d.value, d.n) == (pytest.approx(2.0), 3)
    assert d.value == pytest.approx(ttest_rel(a, b).statistic / np.sqrt(3))


def test_hedges_correction_by_hand():
    # Gamma(1) / (1 * Gamma(1/2)) = 1 / sqrt(pi) at two degrees of freedom.
    assert hedges_correction(2) == pytest.approx(1 / np.sqrt(np.pi))
    assert hedges_correction(1) == 0.0
    for freedom in (10, 50, 400):
        assert hedges_correction(freedom) == pytest.approx(1 - 3 / (4 * freedom - 1), abs=5e-4)


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("shift", [0.0, 0.7, -3.0])
def test_the_bounds_are_noncentral_ts(paired, shift):
    rng = np.random.default_rng(0)
    a, b = rng.normal(shift, 1, size=20), rng.normal(size=20)
    d = cohens_d(a, b, paired=paired, corrected=False, level=0.9)
    freedom, root = (19, np.sqrt(20)) if paired else (38, np.sqrt(10))
    assert d.low == pytest.approx(nctdtrinc(freedom, 0.95, d.value * root) / root, abs=1e-5)
    assert d.high == pytest.approx(nctdtrinc(freedom, 0.05, d.value * root) / root, abs=1e-5)


@pytest.mark.parametrize("size", [0.0, 0.8])
def test_the_interval_covers_the_true_effect(size):
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(120):
        d = cohens_d(rng.normal(size, 1, 8), rng.normal(size=12), corrected=False)
        covered += d.low <= size <= d.high
    assert 0.001 < binom.cdf(covered, 120, 0.95) < 0.999


@settings(max_examples=20)
@given(seed=st.integers(0, 100), scale=st.floats(0.01, 100), origin=st.floats(-1e3, 1e3))
def test_unit_and_origin_do_not_matter(seed, scale, origin):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(1, 1, size=6), rng.normal(size=9)
    once = cohens_d(a, b)
    moved = cohens_d(a * scale + origin, b * scale + origin)
    assert (moved.value, moved.low, moved.high) == pytest.approx(
        (once.value, once.low, once.high), rel=1e-5, abs=1e-6
    )
    turned = cohens_d(b, a)
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (-once.value, -once.high, -once.low), abs=1e-6
    )
    assert once.low < once.value < once.high


def test_a_vast_effect_still_has_bounds():
    a = np.random.default_rng(0).normal(size=30)
    d = cohens_d(a + 500, a[::-1], corrected=False)
    assert 300 < d.low < d.value < d.high < 800


def test_what_has_no_spread_is_refused():
    with pytest.raises(SondeError, match="do not vary"):
        cohens_d(np.ones(4), np.zeros(4))
    with pytest.raises(SondeError, match="4 and 3 units"):
        cohens_d(np.arange(4.0), np.arange(3.0), paired=True)
    with pytest.raises(SondeError, match="at least two"):
        cohens_d(np.ones(1), np.zeros(4))


def test_what_has_no_interval_is_refused():
    one, other = np.array([1.0, 2.0]), np.array([5.0, 6.5])
    with pytest.raises(SondeError, match="one degree of freedom"):
        cohens_d(one, other, paired=True)  # the factor 0 would make it 0, and certainly so
    assert cohens_d(one, other, paired=True, corrected=False).value < 0
    with pytest.raises(SondeError, match="cannot be computed at t = "):
        cohens_d(one, one + 1e6)
