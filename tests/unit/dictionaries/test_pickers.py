"""Pickers: which latents, in which order, chunk by chunk."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.dictionaries.choosing import Above, TopAmong, TopOfBatch, TopOfRows


def ascending(chosen):
    """Latents of each row ascend, which the sparse products and their formats count on."""
    ends = chosen.places.offsets.tolist()
    return all(
        bool((chosen.places.latent[a:b].diff() > 0).all()) for a, b in itertools.pairwise(ends)
    )


def test_the_highest_of_a_row_by_hand_in_the_order_of_their_numbers():
    picker = TopOfRows(2)
    pre = torch.tensor([[1.0, 9.0, 3.0, 7.0], [-1.0, 2.0, -3.0, -4.0]])
    picker.add(pre, pre)
    found = picker.chosen()
    assert found.places.latent.tolist() == [1, 3, 1]
    assert found.places.offsets.tolist() == [0, 2, 3]
    assert found.value.tolist() == [9, 7, 2]


@pytest.mark.parametrize(
    "picker",
    [
        lambda: TopOfRows(3), lambda: TopOfRows(3, positive=False), lambda: TopOfBatch(12),
        lambda: Above(0.3), lambda: TopAmong(TopOfRows(2), torch.tensor([1, 4, 6, 7])),
    ],
)  # fmt: skip
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), cut=st.integers(1, 8))
def test_chunks_do_not_matter_and_latents_ascend(picker, seed, cut):
    pre = torch.randn(9, 8, generator=torch.Generator().manual_seed(seed))
    norm = torch.rand(8, generator=torch.Generator().manual_seed(seed)) + 0.1
    whole, parts = picker(), picker()
    whole.add(pre, pre * norm)
    for part in (pre[:cut], pre[cut:]):
        parts.add(part, part * norm)
    a, b = whole.chosen(), parts.chosen()
    assert ascending(a)
    assert a.places.latent.tolist() == b.places.latent.tolist()
    assert a.places.offsets.tolist() == b.places.offsets.tolist()
    rows = a.places.row
    assert torch.equal(a.value, pre[rows, a.places.latent]) and torch.equal(a.value, b.value)
