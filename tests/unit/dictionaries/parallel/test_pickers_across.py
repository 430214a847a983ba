"""Selections against stable sorts, and how latents and groups are shared out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.dictionaries.parallel.order_statistics import keys_of, kth_largest
from sonde.dictionaries.parallel.pickers import first_top
from sonde.dictionaries.parallel.ranks import ALONE, Ranks
from sonde.dictionaries.parallel.share import WHOLE, Share

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@given(seed=st.integers(0, 10**6), k=st.integers(1, 12), values=st.sampled_from([2, 5, 1000]))
def test_first_top_is_a_stable_sort(seed, k, values):
    generator = torch.Generator().manual_seed(seed)
    score = torch.randint(-values, values, (6, 11), generator=generator).float()
    value, latent = first_top(score, k)
    expected = score.sort(dim=1, descending=True, stable=True).indices[:, :k].sort(dim=1).values
    assert torch.equal(latent, expected)
    assert torch.equal(value, score.gather(1, expected))


def test_first_top_by_hand():
    score = torch.tensor([[1.0, 3.0, 3.0, 2.0, 3.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    assert first_top(score, 2)[1].tolist() == [[1, 2], [0, 1]]
    nan = torch.tensor([[2.0, 1.0, torch.nan, 2.0]])  # the largest, as for topk
    assert first_top(nan, 2)[1].tolist() == [[0, 2]]


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 40),
    dtype=st.sampled_from(FLOATS),
    scale=st.sampled_from([1e-3, 1.0, 100.0]),
)
def test_the_kth_largest_of_floats(seed, n, dtype, scale):
    generator = torch.Generator().manual_seed(seed)
    value = (scale * torch.rand(n, generator=generator, dtype=torch.float64)).to(dtype)
    bits = 8 * value.element_size() - 1
    for count in {1, (n + 1) // 2, n}:
        key = kth_largest(keys_of(value), count, bits, ALONE)
        assert key == int(keys_of(value.sort(descending=True).values[count - 1]))


def test_the_kth_largest_of_large_numbers():
    key = torch.tensor([0, 5, 1 << 61, (1 << 61) + 1, 1 << 40])
    assert [kth_largest(key, count, 62, ALONE) for count in range(1, 6)] == [
        (1 << 61) + 1, 1 << 61, 1 << 40, 5, 0,
    ]  # fmt: skip


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5), world=st.integers(1, 4))
def test_shares_are_a_partition(sizes, world):
    total = sum(sizes)
    group = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    seen = []
    for rank in range(world):
        share = Share(latents=Ranks(world, rank))
        own = share.own_latents(torch.arange(total))
        assert torch.equal(share.numbers(torch.arange(len(own))), own)
        counts = torch.bincount(group[own], minlength=len(sizes))
        assert list(share.groups(sizes)) == counts.tolist()
        seen += own.tolist()
    assert sorted(seen) == list(range(total))
    assert WHOLE.groups(sizes) == tuple(sizes)


def test_what_cannot_be_shared_evenly_is_refused():
    share = Share(latents=Ranks(4, 1), rows=Ranks(3, 0))
    assert share.n_latents(12) == 3
    with pytest.raises(SondeError, match="10 latents cannot be shared evenly by 4 processes"):
        share.n_latents(10)
    assert share.own_rows(torch.arange(6)).tolist() == [0, 3]
    with pytest.raises(SondeError, match="7 rows cannot be shared evenly by 3 processes"):
        share.own_rows(torch.arange(7))
