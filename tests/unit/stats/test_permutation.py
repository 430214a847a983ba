import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sonde.core.errors import SondeError
from sonde.stats import permutation
from sonde.stats.permutation import Permutation, label_permutation, sign_flip, two_sample

FEW = Permutation(resamples=999)


def mean_difference(a, b, axis):
    return a.mean(axis=axis) - b.mean(axis=axis)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_sign_flips_agree_with_scipy(alternative):
    difference = np.random.default_rng(0).normal(0.4, 1, size=12)  # 4096 arrangements: scipy's all
    exact = stats.permutation_test(
        (difference,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        alternative=alternative,
        vectorized=True,
    )
    own = sign_flip(difference, Permutation(resamples=20_000, alternative=alternative))
    assert own.statistic == pytest.approx(float(exact.statistic))
    assert own.p == pytest.approx(float(exact.pvalue), abs=0.012)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_two_samples_agree_with_scipy(alternative):
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.8, 1, size=6), rng.normal(size=7)  # 1716 arrangements
    exact = stats.permutation_test(
        (a, b), mean_difference, n_resamples=np.inf, alternative=alternative, vectorized=True
    )
    own = two_sample(a, b, Permutation(resamples=20_000, alternative=alternative))
    assert own.statistic == pytest.approx(float(exact.statistic))
    assert own.p == pytest.approx(float(exact.pvalue), abs=0.012)


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1e9])
def test_the_unit_of_the_numbers_does_not_matter(scale):
    difference = np.random.default_rng(3).normal(1, 1, size=20)
    assert sign_flip(scale * difference, FEW).p == sign_flip(difference, FEW).p < 0.2


def test_within_groups_agrees_with_scipys_pairings():
    """Exchanging the two labels of each pair is exchanging which sample a number is of."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.5, 1, size=10), rng.normal(size=10)
    exact = stats.permutation_test(
        (a, b), mean_difference, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    values = np.r_[a, b]
    own = label_permutation(
        lambda labels: (2 * labels - 1) @ values / 10,
        np.repeat([1.0, 0.0], 10),
        np.tile(np.arange(10), 2),
        Permutation(resamples=20_000),
    )
    assert own.p == pytest.approx(float(exact.pvalue), abs=0.012)


def test_three_units_by_hand():
    """Of eight sign patterns one alone reaches the mean of (1, 2, 3): one in eight."""
    found = sign_flip(np.array([1.0, 2.0, 3.0]), Permutation(19_999, "greater"))
    assert found.p == pytest.approx(1 / 8, abs=0.01)
    assert (found.statistic, found.resamples) == (2.0, 19_999)


def test_a_p_value_is_never_zero():
    found = sign_flip(np.full(60, 5.0), FEW)
    assert found.p == pytest.approx(2 / 1000)


def test_exchange_stays_within_groups():
    labels = np.array([1.0, 0.0, 0.0, 5.0, 5.0, 7.0, 9.0])
    group = np.array(["b", "a", "b", "a", "b", "b", "c"])
    seen = []

    def note(given):
        seen.append(given)
        return given[:, 0]

    label_permutation(note, labels, group, FEW)
    dealt = np.concatenate(seen[1:])
    for name in "abc":
        assert (np.sort(dealt[:, group == name]) == np.sort(labels[group == name])).all()
    # Each of b's four labels comes first about equally often.
    assert np.isin(dealt[:, 0], [1, 0, 5, 7]).all()
    assert [(dealt[:, 0] == one).mean() for one in (1, 0, 5, 7)] == pytest.approx(
        [0.25] * 4, abs=0.05
    )


@settings(max_examples=30)
@given(seed=st.integers(0, 50), shift=st.floats(-100, 100))
def test_the_p_value_ignores_origin_and_order(seed, shift):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=8), rng.normal(size=9)
    once = two_sample(a, b, FEW)
    assert 1 / 1000 <= once.p <= 1
    assert two_sample(a + shift, b + shift, FEW).p == once.p
    assert two_sample(b, a, FEW).statistic == pytest.approx(-once.statistic)


def test_level_under_the_null():
    """At most 5 % of p-values lie below 0.05 where there is no difference (Fisher's promise)."""
    rng = np.random.default_rng(3)
    few = Permutation(resamples=199)
    below = sum(sign_flip(rng.standard_t(3, size=15), few).p <= 0.05 for _ in range(500))
    assert stats.binom.sf(below - 1, 500, 0.05) > 0.001


def test_pieces_change_nothing(monkeypatch):
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=8), rng.normal(size=9)
    whole = two_sample(a, b, FEW), sign_flip(a, FEW)
    monkeypatch.setattr(permutation, "ENTRIES_AT_ONCE", 100)
    assert (two_sample(a, b, FEW), sign_flip(a, FEW)) == whole


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(SondeError, match="No group has two different labels"):
        label_permutation(
            lambda labels: labels[:, 0], np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1])
        )
    with pytest.raises(SondeError, match="All labels are equal"):
        label_permutation(lambda labels: labels[:, 0], np.ones(4))
    with pytest.raises(SondeError, match="1 of them not finite"):
        sign_flip(np.array([1.0, np.nan]))
    with pytest.raises(SondeError, match="of 0 resamples"):
        Permutation(resamples=0)
