"""Gather: which tokens of a batch become rows, taken on the device before anything leaves it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.core.positions import Pool

Item = tuple[int, Sequence[int], Pool]


@dataclass(frozen=True, slots=True)
class Gather:
    """An index into ``[batch, pos]`` and how what it picks becomes rows.

    Rows follow the order of the items; an item kept as ``each`` gives one row a token. The arrays
    have one entry a row: ``item`` which item it comes from, ``token`` the index of its (last)
    token, ``n_tokens`` how many were pooled.
    """

    example: Int[Tensor, "token"]
    position: Int[Tensor, "token"]
    lengths: Int[Tensor, "row"]  # tokens of each row, in order
    mean_rows: Int[Tensor, "mean_row"]
    max_rows: Int[Tensor, "max_row"]
    last_tokens: Int[Tensor, "row"]  # of each row, an index into the tokens gathered
    item: np.ndarray
    token: np.ndarray
    n_tokens: np.ndarray

    def __len__(self) -> int:
        return len(self.item)

    @staticmethod
    def build(items: Sequence[Item], device: torch.device | str = "cpu") -> "Gather":
        """Build the index from ``(row of the batch, its tokens, pool)``.

        Raises:
            SondeError: an item has no token.
        """
        for number, (example, tokens, _) in enumerate(items):
            if len(tokens) == 0:
                raise SondeError(f"Item {number}, of row {example}, names no token.")
        pieces = [tuple(_rows_of(tokens, pool)) for _, tokens, pool in items]
        item = np.repeat(np.arange(len(items)), [len(rows) for rows in pieces])
        rows = list(chain.from_iterable(pieces))
        n_tokens = np.array([len(row) for row in rows], dtype=np.int64)
        position = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=n_tokens.sum())
        examples = np.array([example for example, _, _ in items], dtype=np.int64)
        last = np.cumsum(n_tokens) - 1
        pooled = n_tokens > 1  # the pool of one token is that token
        is_max = np.array([pool is Pool.MAX for _, _, pool in items], dtype=bool)[item]

        def on_device(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        return Gather(
            example=on_device(np.repeat(examples[item], n_tokens)),
            position=on_device(position),
            lengths=on_device(n_tokens),
            mean_rows=on_device(np.flatnonzero(pooled & ~is_max)),
            max_rows=on_device(np.flatnonzero(pooled & is_max)),
            last_tokens=on_device(last),
            item=item,
            token=position[last],
            n_tokens=n_tokens,
        )

    def take(self, x: Float[Tensor, "batch pos width"]) -> Float[Tensor, "row width"]:
        """Pick and pool the rows. Pooling runs in float32; the result has the dtype of ``x``."""
        here = x.device
        tokens = x[self.example.to(here), self.position.to(here)]
        if not len(self.mean_rows) and not len(self.max_rows):
            return tokens
        rows = tokens[self.last_tokens.to(here)]
        for chosen, how in ((self.mean_rows, "mean"), (self.max_rows, "max")):
            if len(chosen):
                pooled = torch.segment_reduce(
                    tokens.float(), how, lengths=self.lengths.to(here), axis=0, unsafe=True
                )
                rows = rows.index_copy(0, chosen.to(here), pooled[chosen.to(here)].to(rows.dtype))
        return rows


def _rows_of(tokens: Sequence[int], pool: Pool) -> Sequence[Sequence[int]]:
    if pool is Pool.EACH:
        return [(token,) for token in tokens]
    if pool is Pool.LAST:
        return [(tokens[-1],)]
    return [tokens]
