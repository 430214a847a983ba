"""The keys and values of rows, all ending at the same place, in buffers made once.

Rows of different lengths are aligned on the right, so that the next token of each goes to the same
place. Layers with a sliding window keep what lies outside it too: the mask hides it, and rows can
be moved as one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Int
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from sonde.models.sharing import Sharing


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Rows of one block of a cache, and the rows of another that they become.

    ``end`` is the place up to which they are taken; None is all that is filled.
    """

    cache: "RowCache"
    rows: Int[Tensor, "row"]
    to: Int[Tensor, "row"]
    end: int | None = None


class RowLayer(CacheLayerMixin):
    """One block's keys and values, ``[row, head, place, d_head]`` in buffers of fixed width."""

    is_sliding = False

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.length = 0
        self.reads: Tensor | None = None  # of each stream of a pass, its row; None: all rows
        self.streams: Tensor | None = None  # of each row, its stream

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Make the buffers: zeros, as what is masked is multiplied by 0 and must be finite."""
        n_rows = len(key_states) if self.streams is None else len(self.streams)
        self.make(key_states, value_states, n_rows)

    def make(self, keys: Tensor, values: Tensor, n_rows: int) -> None:
        """Make empty buffers of the kind of these keys and values."""
        for name, like in (("keys", keys), ("values", values)):
            shape = (n_rows, like.shape[1], self.width, like.shape[3])
            setattr(self, name, like.new_zeros(shape))
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keep a pass's keys and values for all rows, and return those that its streams read."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[-2]
        found = []
        for buffer, given in ((self.keys, key_states), (self.values, value_states)):
            assert buffer is not None
            buffer[:, :, self.length : end] = (
                given
                if self.streams is None
                else given.index_select(0, self.streams.to(given.device))
            )
            seen = buffer[:, :, :end]
            if self.reads is not None:
                seen = seen.index_select(0, self.reads.to(seen.device))
            found.append(seen)
        self.length = end
        return found[0], found[1]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return how many places there are with the next pass's, and at which they begin."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """Return how many places are filled."""
        return self.length

    def get_max_length(self) -> int:
        """Return how many places there are."""
        return self.width


class RowCache(Cache):
    """The cache of a batch whose rows may share their lower blocks."""

    def __init__(self, n_layers: int, width: int) -> None:
        self.blocks = [RowLayer(width) for _ in range(n_layers)]
        super().__init__(layers=list(self.blocks))
        self.width = width

    @property
    def length(self) -> int:
        """How many places are filled."""
        return self.blocks[0].length

    @property
    def n_held(self) -> int:
        """How many tokens the buffers hold, padding included: the mean over the blocks."""
        rows = [0 if block.keys is None else len(block.keys) for block in self.blocks]
        return -(-sum(rows) * self.width // len(rows))

    def share(self, shared: Sharing) -> None:
        """Say for which rows the next passes compute each block."""
        for number, block in enumerate(self.blocks):
            level = shared.at(number)
            block.reads = None if level.is_whole else level.rows
            block.streams = None if level.is_whole else level.streams

    def free(self, block: int) -> None:
        """Forget a block's keys and values."""
        self.blocks[block].keys = self.blocks[block].values = None


def assembled(
    pieces: Callable[[int], Sequence[Piece]],
    n_layers: int,
    *,
    width: int,
    length: int,
    emptied: Sequence[RowCache] = (),
) -> RowCache:
    """Return a cache made of rows of others, all ending at place ``length``.

    ``pieces`` gives those of each block; together they become its rows 0 to the last. Memory holds
    one block of the caches ``emptied`` twice, not the whole.
    """
    made = RowCache(n_layers, width)
    for number, block in enumerate(made.blocks):
        parts = pieces(number)
        olds = [part.cache.blocks[number] for part in parts]
        assert olds[0].keys is not None
        assert olds[0].values is not None
        block.make(olds[0].keys, olds[0].values, sum(len(part.to) for part in parts))
        for part, old in zip(parts, olds, strict=True):
            end = old.length if part.end is None else part.end
            taken = min(end, length)
            for buffer, given in ((block.keys, old.keys), (block.values, old.values)):
                assert buffer is not None
                assert given is not None
                chosen = given[:, :, end - taken : end]
                chosen = chosen.index_select(0, part.rows.to(given.device))
                buffer[part.to.to(given.device), :, length - taken : length] = chosen
        block.length = length
        for cache in emptied:
            cache.free(number)
    return made
