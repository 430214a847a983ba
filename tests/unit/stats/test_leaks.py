import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.stats.folds import grouped_folds
from sonde.stats.leaks import duplicates, shared_items


def test_by_hand():
    folds = np.array([0, 0, 1, 1, 2])
    items = np.array(["cat", "dog", "cat", "owl", "owl"])
    found = shared_items(folds, items)
    assert [(leak.what, leak.where, leak.rows) for leak in found.found] == [
        ("cat", ("0", "1"), (0, 2)),
        ("owl", ("1", "2"), (3, 4)),
    ]
    assert str(found) == (
        "2 items lie in several folds, in 4 of 5 rows: 'cat' (folds 0 and 1), "
        "'owl' (folds 1 and 2)."
    )
    with pytest.raises(SondeError, match="groups are never split"):
        found.refuse()


def test_pairs_share_items_across_places():
    """The same item as the first of one pair and the second of another."""
    folds = np.array([0, 1, 1])
    found = shared_items(folds, np.array(["a", "b", "d"]), np.array(["b", "c", "e"]))
    assert [(leak.what, leak.rows) for leak in found.found] == [("b", (0, 1))]
    assert found.rows == 2


def test_a_pair_of_an_item_with_itself_counts_once():
    found = shared_items(np.array([0, 1]), np.array(["a", "a"]), np.array(["a", "b"]))
    assert found.found[0].rows == (0, 1)


def test_rows_in_no_fold_leak_nothing():
    assert not shared_items(np.array([0, -1, 1]), np.array(["a", "a", "b"]))


@given(seed=st.integers(0, 200), n_folds=st.integers(2, 4))
def test_folds_by_group_never_leak_and_folds_by_row_do(seed, n_folds):
    rng = np.random.default_rng(seed)
    item = rng.integers(0, 12, 60)
    by_item = shared_items(grouped_folds(item, n_folds, seed=seed), item)
    assert not by_item
    assert str(by_item) == "No item lies in several folds."
    by_item.refuse()
    folds = grouped_folds(np.arange(60), n_folds, seed=seed)
    split = {one for one in item.tolist() if len(set(folds[item == one])) > 1}
    found = shared_items(folds, item)
    assert {int(leak.what) for leak in found.found} == split
    assert found.rows == sum(one in split for one in item.tolist())


def test_texts_that_differ_in_case_and_spacing_are_one():
    texts = ["The cat sat.", "the  cat\nsat.", "A dog ran.", "A dog ran."]
    found = duplicates(texts, np.array(["a", "b", "c", "c"]))
    assert [(leak.what, leak.where) for leak in found.found] == [("the cat sat.", ("a", "b"))]
    assert str(found).startswith("1 text lies in several groups, in 2 of 4 rows: 'the cat sat.'")


def test_long_texts_are_cut_and_many_are_not_listed():
    texts = [f"{number} {'word ' * 40}" for number in range(5)] * 2
    shown = str(duplicates(texts, np.arange(10)))
    assert "5 texts lie" in shown
    assert shown.endswith(", ….")
    assert len(shown) < 400


def test_mistakes_are_named():
    with pytest.raises(SondeError, match="one item a row"):
        shared_items(np.zeros(3, int), np.zeros(2, int))
    with pytest.raises(SondeError, match="one item a row"):
        shared_items(np.zeros(3, int))
    with pytest.raises(SondeError, match="There are 2 texts"):
        duplicates(["a", "b"], np.zeros(3))
