import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.stats.folds import grouped_folds


def test_lone_rows_come_out_even():
    folds = grouped_folds(np.arange(23), 5)
    assert sorted(np.bincount(folds)) == [4, 4, 5, 5, 5]


def test_pairs_stay_together_and_classes_come_out_even():
    pair, label = np.repeat(np.arange(20), 2), np.tile([0, 1], 20)
    folds = grouped_folds(pair, 5, classes=label)
    assert (folds[::2] == folds[1::2]).all()
    assert np.bincount(folds[label == 1]).tolist() == [4, 4, 4, 4, 4]


def test_large_groups_are_spread():
    # Worked by hand: 6 + 1, 5 + 2, 4 + 3 is the only even deal into three, and greedy finds it.
    sizes = [6, 5, 4, 3, 2, 1]
    folds = grouped_folds(np.repeat(np.arange(6), sizes), 3)
    assert np.bincount(folds).tolist() == [7, 7, 7]


def test_a_rare_class_reaches_every_fold():
    label = np.r_[np.zeros(95), np.ones(5)]
    folds = grouped_folds(np.arange(100), 5, classes=label)
    assert np.bincount(folds[label == 1]).tolist() == [1, 1, 1, 1, 1]


@given(
    group=st.lists(st.integers(0, 30), min_size=40, max_size=120),
    n_folds=st.integers(2, 5),
    seed=st.integers(0, 3),
    stratified=st.booleans(),
)
def test_no_group_is_ever_split(group, n_folds, seed, stratified):
    names = np.array([f"g{number}" for number in group])
    if len(set(group)) < n_folds:
        return
    classes = np.array(group) % 2 if stratified else None
    folds = grouped_folds(names, n_folds, classes=classes, seed=seed)
    for name in set(names):
        assert len(set(folds[names == name])) == 1
    assert set(folds) == set(range(n_folds))
    assert (folds == grouped_folds(names, n_folds, classes=classes, seed=seed)).all()
    # No fold is larger than another by more than the largest group.
    sizes = np.bincount(folds)
    if not stratified:
        assert np.ptp(sizes) <= np.bincount(group).max()


def test_the_seed_changes_the_deal():
    one, other = (grouped_folds(np.arange(50), 5, seed=seed) for seed in (0, 1))
    assert (one != other).any()


def test_too_few_groups_are_named():
    with pytest.raises(SondeError, match="3 groups in 12 rows: too few for 5 folds"):
        grouped_folds(np.repeat(np.arange(3), 4), 5)
    with pytest.raises(SondeError, match="at least 2"):
        grouped_folds(np.arange(9), 1)
