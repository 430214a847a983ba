"""The rows that training begins with: taken once, from passes or shards that give no more."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from jaxtyping import Int

from sonde.activations.row_batches import RowBatch
from sonde.activations.shuffled_order import ChunkOrder
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint

_DRAWN = 0xF1  # so that one seed draws different orders for different things


class FirstRows:
    """Room for ``n`` rows in the processor's memory, filled as they come."""

    def __init__(self, widths: Mapping[HookPoint, int], n: int, dtype: torch.dtype) -> None:
        self._tensors = {hook: torch.empty(n, width, dtype=dtype) for hook, width in widths.items()}
        self._token = torch.empty(n, dtype=torch.int64)
        self._there = 0

    @property
    def missing(self) -> int:
        """How many rows there is still room for."""
        return len(self._token) - self._there

    def add(self, batch: RowBatch) -> None:
        """Take the rows of a batch, the first of them where there is no room for all."""
        taken = batch.part(0, self.missing)
        here = slice(self._there, self._there + len(taken))
        for hook, x in taken.tensors.items():
            self._tensors[hook][here] = x
        self._token[here] = taken.token
        self._there = here.stop

    def drawn(self, seed: int) -> RowBatch:
        """Return the rows in an order drawn from a seed, so that any few of them are of all places.

        Raises:
            SondeError: there is none.
        """
        if not self._there:
            raise SondeError(
                "All of the first rows are left out.",
                fix="Raise sink_ratio or keep separators; `sonde doctor` shows a model's sinks.",
            )
        order = torch.from_numpy(np.random.default_rng([seed, _DRAWN]).permutation(self._there))
        for hook in self._tensors:  # one at a time, so that there is never a second copy of all
            self._tensors[hook] = self._tensors[hook][order]
        return RowBatch(self._tensors, self._token[order])


def fill(
    found: FirstRows,
    order: ChunkOrder,
    each: int,
    rows_of: Callable[[Int[np.ndarray, " chunk"]], Iterable[RowBatch]],
) -> None:
    """Fill in the rows of the first chunks of an order, of no more than are needed.

    A chunk gives ``each`` rows, fewer where some are left out; then more chunks are read, to the
    end of the first epoch.
    """
    read = 0
    while found.missing and read < order.n_chunks:
        chunks = order.read(read, min(read + -(-found.missing // each), order.n_chunks))
        for batch in rows_of(chunks):
            found.add(batch)
        read += len(chunks)
