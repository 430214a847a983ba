import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.stats.leaks import shared_items
from sonde.stats.pair_folds import pair_folds


def all_pairs(n):
    return np.triu_indices(n, 1)


def test_every_pair_of_four_items_in_two_folds():
    # Two items a fold: one pair is tested in each, and trains the other; four straddle.
    folds = pair_folds(*all_pairs(4), 2)
    assert sorted(np.bincount(folds.fold + 1).tolist()) == [1, 1, 4]
    for train, test in folds:
        assert train.sum() == test.sum() == 1
        assert not (train & test).any()


@given(seed=st.integers(0, 100), n_folds=st.integers(2, 4))
def test_no_item_is_on_both_sides(seed, n_folds):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 20, (2, 300))
    folds = pair_folds(first, second, n_folds, seed=seed)
    for train, test in folds:
        seen = set(first[train]) | set(second[train])
        asked = set(first[test]) | set(second[test])
        assert not seen & asked
        assert test.any()
    assert not shared_items(folds.fold, first, second)


def test_the_same_seed_deals_the_same():
    one, same, other = (pair_folds(*all_pairs(30), 3, seed=seed) for seed in (1, 1, 2))
    assert (one.fold == same.fold).all()
    assert (one.fold != other.fold).any()


def test_too_few_pairs_are_refused():
    with pytest.raises(SondeError, match="no pair to"):
        pair_folds(np.arange(10), np.arange(10) + 10, 10)
    with pytest.raises(SondeError, match="both items"):
        pair_folds(np.arange(3), np.arange(4), 2)
