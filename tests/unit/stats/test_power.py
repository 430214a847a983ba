import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sonde.core.errors import SondeError
from sonde.stats.power import (
    auroc_standard_error,
    n_of_auroc,
    n_of_means,
    n_of_proportions,
    power_of_auroc,
    power_of_means,
    power_of_proportions,
)

# Cohen (1988), table 2.4.1: n in each sample for two-sided 0.05 and power 0.80.
COHEN = {0.2: 393, 0.5: 64, 0.8: 26, 1.0: 17}


@pytest.mark.parametrize("size", COHEN)
def test_cohens_table(size):
    assert n_of_means(size, 1.0) == pytest.approx(COHEN[size], abs=1)  # the table is interpolated


def test_a_textbook_pair():
    # d = 0.5 in pairs, 0.05 two-sided: 34 pairs reach 80 %.
    assert n_of_means(0.5, 1.0, paired=True) == 34
    assert power_of_means(0.5, 1.0, 33.0, paired=True) < 0.8


@pytest.mark.parametrize("paired", [True, False])
def test_the_power_of_means_by_simulation(paired):
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.9, 1, (4000, 10)), rng.normal(size=(4000, 10))
    test = stats.ttest_rel if paired else stats.ttest_ind
    seen = int(((test(a, b, axis=1).pvalue < 0.05) & (a.mean(1) > b.mean(1))).sum())
    spread = np.sqrt(2) if paired else 1.0
    expected = power_of_means(0.9, spread, 10.0, paired=paired)
    assert seen / 4000 == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 4000))


def test_proportions_by_hand():
    # (1.95996 sqrt(2 .55 .45) + .84162 sqrt(.5 .5 + .6 .4))^2 / .1^2 = 387.3
    assert n_of_proportions(0.5, 0.6) == 388


def test_the_power_of_proportions_by_simulation():
    rng = np.random.default_rng(1)
    n = 100
    a, b = rng.binomial(n, 0.7, 20_000) / n, rng.binomial(n, 0.5, 20_000) / n
    pooled = (a + b) / 2
    seen = ((a - b) / np.sqrt(pooled * (1 - pooled) * 2 / n) > stats.norm.ppf(0.975)).mean()
    assert seen == pytest.approx(power_of_proportions(0.7, 0.5, 100.0), abs=0.02)


def test_hanley_and_mcneils_own_example():
    # 58 normal and 51 abnormal scans, area 0.893: a standard error of 0.032 (1982, p. 32).
    assert auroc_standard_error(0.893, 51.0, 58.0) == pytest.approx(0.0325, abs=3e-4)


def test_the_standard_error_of_chance_by_hand():
    # At one half Q1 = Q2 = 1/3, so (1/4 + (n1 + n0 - 2) / 12) / (n1 n0): Mann-Whitney's variance.
    assert auroc_standard_error(0.5, 7.0, 9.0) ** 2 == pytest.approx((7 + 9 + 1) / (12 * 7 * 9))


def test_the_standard_error_is_exact_for_exponential_scores():
    # Rates 1 and r make an area of r / (1 + r).
    rng = np.random.default_rng(2)
    positive, negative = rng.exponential(3.0, (4000, 20)), rng.exponential(1.0, (4000, 25))
    areas = (positive[:, :, None] > negative[:, None, :]).mean(axis=(1, 2))
    assert areas.std() == pytest.approx(auroc_standard_error(0.75, 20.0, 25.0), rel=0.05)


def test_the_power_of_auroc_by_simulation():
    rng = np.random.default_rng(3)
    positive, negative = rng.exponential(2.0, (4000, 40)), rng.exponential(1.0, (4000, 40))
    areas = (positive[:, :, None] > negative[:, None, :]).mean(axis=(1, 2))
    z = (areas - 0.5) / auroc_standard_error(0.5, 40.0, 40.0)
    seen = (z > stats.norm.ppf(0.975)).mean()
    assert seen == pytest.approx(power_of_auroc(2 / 3, 0.5, 80.0), abs=0.03)


def test_scores_that_agree_need_fewer_rows():
    apart = n_of_auroc(0.9, 0.825, correlation=0.0)
    alike = n_of_auroc(0.9, 0.825, correlation=0.6)
    assert alike < 0.6 * apart
    assert power_of_auroc(0.9, 0.825, float(alike), correlation=0.6) >= 0.8


@given(
    size=st.floats(0.1, 3),
    power=st.floats(0.1, 0.95),
    paired=st.booleans(),
    scale=st.floats(0.1, 9),
)
def test_n_is_the_smallest_that_suffices(size, power, paired, scale):
    n = n_of_means(size * scale, scale, paired=paired, power=power)
    assert power_of_means(size, 1.0, float(n), paired=paired) >= power - 1e-9
    if n > 2:
        assert power_of_means(size, 1.0, float(n - 1), paired=paired) < power + 1e-9


@given(a=st.floats(0.51, 0.99), n=st.integers(10, 500), share=st.floats(0.1, 0.9))
def test_more_rows_are_never_worse(a, n, share):
    if min(n * share, n * (1 - share)) < 1:
        return
    less, more = (power_of_auroc(a, 0.5, float(rows), share=share) for rows in (n, 2 * n))
    assert less <= more + 1e-9
    assert power_of_auroc(0.5, a, float(n), share=share) >= 0


def test_what_cannot_be_seen_is_said():
    with pytest.raises(SondeError, match="No number of units"):
        n_of_means(0.0, 1.0)
    with pytest.raises(SondeError, match="A power of 1"):
        n_of_means(0.5, 1.0, power=1.2)
    with pytest.raises(SondeError, match="spread = 0"):
        power_of_means(0.5, 0.0, 10.0)
    with pytest.raises(SondeError, match="at least one row of each class"):
        auroc_standard_error(0.7, 0.0, 5.0)
