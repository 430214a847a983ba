import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.probes.control import shuffled


def test_pairs_keep_one_of_each_and_half_are_turned():
    """Exchanging whole pairs would leave every label in place; about half must be turned."""
    labels = np.tile([0.0, 1.0], 200)
    dealt = shuffled(labels, np.repeat(np.arange(200), 2), seed=0).reshape(200, 2)
    assert (dealt.sum(axis=1) == 1).all()
    assert (dealt[:, 0] == 1).mean() == pytest.approx(0.5, abs=0.1)


def test_documents_keep_one_label_each():
    """Shuffling within documents would leave every label in place; documents must trade."""
    document = np.repeat(np.arange(100), 5)
    labels = (document % 2).astype(float)
    dealt = shuffled(labels, document, seed=0).reshape(100, 5)
    assert (np.ptp(dealt, axis=1) == 0).all()
    assert np.corrcoef(dealt[:, 0], labels[::5])[0, 1] == pytest.approx(0, abs=0.25)


def test_unequal_documents_trade_too():
    rng = np.random.default_rng(0)
    document = np.repeat(np.arange(300), rng.integers(1, 9, 300))
    values = rng.normal(size=300)[document]
    dealt = shuffled(values, document, seed=0)
    assert np.corrcoef(values, dealt)[0, 1] == pytest.approx(0, abs=0.15)
    # Rows of one document still resemble each other, unlike in a shuffle of all rows.
    next_to = document[1:] == document[:-1]
    assert np.corrcoef(dealt[1:][next_to], dealt[:-1][next_to])[0, 1] > 0.5


@given(group=st.lists(st.integers(0, 9), min_size=1, max_size=60), seed=st.integers(0, 50))
def test_every_label_is_dealt_once(group, seed):
    values = np.arange(len(group), dtype=float)
    names = np.array([f"g{number}" for number in group])
    dealt = shuffled(values, names, seed)
    assert sorted(dealt) == sorted(values)
    assert (dealt == shuffled(values, names, seed)).all()
