"""Gathering and pooling rows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from sonde.core.errors import SondeError
from sonde.core.positions import Pool
from sonde.models.batch import pad_batch
from sonde.models.gather import Gather


def test_pools_by_hand() -> None:
    x = torch.tensor([[[1.0, 9.0], [3.0, 5.0], [0.0, 0.0]], [[7.0, 7.0], [-1.0, 2.0], [4.0, 4.0]]])
    gather = Gather.build(
        [
            (0, [0, 1], Pool.MEAN),
            (1, range(3), Pool.MAX),
            (1, [2, 0], Pool.EACH),
            (0, [0, 1], Pool.LAST),
            (1, [1], Pool.MEAN),
        ]
    )
    assert_close(
        gather.take(x),
        torch.tensor([[2.0, 7.0], [7.0, 7.0], [4.0, 4.0], [7.0, 7.0], [3.0, 5.0], [-1.0, 2.0]]),
    )
    assert len(gather) == 6
    assert gather.item.tolist() == [0, 1, 2, 2, 3, 4]
    assert gather.token.tolist() == [1, 2, 2, 0, 1, 1]
    assert gather.n_tokens.tolist() == [2, 3, 1, 1, 1, 1]


def test_pooling_runs_in_float32_and_returns_the_given_dtype() -> None:
    x = torch.full((1, 1000, 1), 1.0, dtype=torch.bfloat16)
    x[0, 0, 0] = 256.0  # in bfloat16, 256 + 1 is 256
    got = Gather.build([(0, range(1000), Pool.MEAN)]).take(x)
    assert got.dtype is torch.bfloat16
    assert_close(got, torch.tensor([[1.255]]).bfloat16())


@given(seed=st.integers(0, 10_000), n_items=st.integers(1, 12))
def test_pools_are_numpys(seed: int, n_items: int) -> None:
    random = np.random.default_rng(seed)
    x = torch.from_numpy(random.standard_normal((3, 7, 4)).astype(np.float32))
    items, wanted = [], []
    for _ in range(n_items):
        example = int(random.integers(3))
        tokens = random.permutation(7)[: random.integers(1, 8)].tolist()
        pool = random.choice(list(Pool))
        items.append((example, tokens, Pool(pool)))
        picked = x[example].numpy()[tokens]
        wanted += {
            Pool.EACH: list(picked),
            Pool.MEAN: [picked.mean(0)],
            Pool.MAX: [picked.max(0)],
            Pool.LAST: [picked[-1]],
        }[Pool(pool)]
    gather = Gather.build(items)
    assert_close(gather.take(x), torch.from_numpy(np.stack(wanted)))
    assert len(gather) == len(wanted)


def test_an_item_without_tokens_is_refused() -> None:
    with pytest.raises(SondeError, match="Item 1, of row 4, names no token"):
        Gather.build([(0, [1], Pool.MEAN), (4, [], Pool.MEAN)])


def test_padding_is_on_the_right() -> None:
    batch = pad_batch([[5, 6, 7], np.array([8], dtype=np.int32)], pad_id=9)
    assert batch.ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch.lengths.tolist() == [3, 1]
    with pytest.raises(SondeError, match="Row 1 has no tokens"):
        pad_batch([[1], []])
    with pytest.raises(SondeError, match="empty"):
        pad_batch([])


@given(where=st.integers(0, 4), pool=st.sampled_from([Pool.MEAN, Pool.MAX]))
def test_a_nan_is_never_pooled_away(where: int, pool: Pool) -> None:
    x = torch.ones(1, 5, 2)
    x[0, where, 1] = float("nan")
    got = Gather.build([(0, range(5), pool)]).take(x)
    assert got[0, 0] == 1
    assert bool(got[0, 1].isnan())
