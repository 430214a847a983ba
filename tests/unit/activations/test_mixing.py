"""Mixing: pairs of one chunk within batches, against a full shuffle and none."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sonde.activations import RowBatch, mixing_of, mixing_of_chunks


def test_a_case_by_hand():
    # Of 2 x 6 pairs in batches, 1 + 1 are of one group; of 28 pairs of all rows, 4 x 1 are.
    found = mixing_of([np.array([0, 0, 1, 2]), np.array([1, 3, 2, 3])])
    assert found.share == pytest.approx(2 / 12)
    assert found.full == pytest.approx(4 / 28)
    assert found.worst == pytest.approx(4 / 12)
    assert found.quality == pytest.approx((4 / 12 - 2 / 12) / (4 / 12 - 4 / 28))


@given(st.lists(st.lists(st.integers(0, 5), min_size=2, max_size=6), min_size=1, max_size=6))
def test_pairs_are_counted_as_by_looking_at_each(batches):
    def share(rows):
        pairs = [(a, b) for one in rows for i, a in enumerate(one) for b in one[i + 1 :]]
        return sum(a == b for a, b in pairs) / len(pairs)

    found = mixing_of([np.array(one) for one in batches])
    assert found.share == pytest.approx(share(batches))
    assert found.full == pytest.approx(share([[group for one in batches for group in one]]))


def test_a_full_shuffle_has_quality_1_and_the_order_of_the_texts_0():
    token = np.arange(64_000)
    shuffled = np.random.default_rng(0).permutation(token)

    def batches(rows):
        return [RowBatch({}, torch.from_numpy(one)) for one in rows.reshape(-1, 1000)]

    assert mixing_of_chunks(batches(shuffled), 100).quality == pytest.approx(1, abs=0.02)
    assert mixing_of_chunks(batches(token), 100).quality == 0
    assert np.isnan(mixing_of([np.array([1, 2])]).quality)
