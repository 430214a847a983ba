import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.stats.scores import Scores
from sonde.stats.units import shared_units


def part(units, other=None):
    unit = np.array(list(units))
    second = None if other is None else np.array(list(other))
    return Scores("mean", unit, np.arange(len(unit), dtype=float), None, other=second)


@pytest.mark.parametrize(
    ("units", "design", "n_shared", "together"),
    [
        (["ab"], "single", 2, ((0,),)),
        (["abc", "cba"], "paired", 3, ((0, 1),)),
        (["abc", "bcd"], "partly paired", 2, ((0, 1),)),
        (["ab", "cd"], "unpaired", 0, ((0,), (1,))),
        (["ab", "bc", "cd"], "partly paired", 0, ((0, 1, 2),)),
        (["ab", "cd", "ba"], "partly paired", 0, ((0, 2), (1,))),
    ],
)
def test_who_shares_units(units, design, n_shared, together):
    found = shared_units([part(one) for one in units])
    assert (found.design, found.n_shared, found.together) == (design, n_shared, together)
    assert found.n == len(set("".join(units)))


def test_rows_are_summed_by_unit_and_pairs_by_both():
    plain = shared_units([part("aab")]).parts[0]
    assert plain.sums(np.array([1.0, 2, 4])).tolist() == [3, 4]
    # Pairs ab, bc and cc; an item with itself counts once.
    pairs = shared_units([part("abc", "bcc")]).parts[0]
    assert pairs.sums(np.array([1.0, 2, 4])).tolist() == [1, 3, 6]


def test_the_design_effect_of_rows_that_are_alike():
    rows = np.ones(6)
    assert shared_units([part("aabbcc")]).parts[0].alike(rows) == 2
    assert shared_units([part("abcdef")]).parts[0].alike(rows) == 1
    assert shared_units([part("ace", "bdf")]).parts[0].alike(np.ones(3)) == 1


@given(seed=st.integers(0, 50), pairwise=st.booleans())
def test_covariances_by_all_pairs_of_rows(seed, pairwise):
    """sum of products over all pairs of rows that share a unit."""
    rng = np.random.default_rng(seed)
    n_items = 40
    first = rng.integers(0, n_items, 30)
    second = (first + rng.integers(1, n_items, 30)) % n_items
    names = np.array([f"item {number:02}" for number in range(n_items)])
    other = names[second] if pairwise else None
    units = shared_units([Scores("mean", names[first], np.zeros(30), None, other=other)])
    moved = rng.normal(size=30)
    (found,) = units.covariance([0], [moved]).ravel()
    mine = [{a, b} if pairwise else {a} for a, b in zip(first, second, strict=True)]
    shared = np.array([[bool(a & b) for b in mine] for a in mine])
    same = np.array([[a == b for b in mine] for a in mine])
    # Pairs that share both items are shared once, not twice.
    expected = moved @ shared @ moved
    floor = moved @ same @ moved
    assert found == pytest.approx(max(expected, floor) if pairwise else expected)
