"""In which order the chunks of a corpus are read, and which of them make a round."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int

_CHUNKS = 0xC4


@dataclass(frozen=True, slots=True)
class ChunkOrder:
    """Every chunk once an epoch, in an order drawn anew for each, window by window.

    A window is chunks that stand one after another in the texts; their order is drawn together.
    With windows, the first chunks to be read are among the first of the texts.
    """

    n_chunks: int
    epochs: int
    window: int
    per_round: int
    seed: int

    @property
    def sizes(self) -> Int[np.ndarray, " round"]:
        """How many chunks each round has; the last may have fewer."""
        whole, rest = divmod(self.n_chunks * self.epochs, self.per_round)
        return np.array([self.per_round] * whole + [rest] * (rest > 0), np.int64)

    def round(self, number: int) -> Int[np.ndarray, " chunk"]:
        """Return the numbers of the chunks of a round."""
        start = number * self.per_round
        return self.read(start, min(start + self.per_round, self.n_chunks * self.epochs))

    def read(self, start: int, stop: int) -> Int[np.ndarray, " chunk"]:
        """Return the chunks that are read from the ``start``-th on, counted over the epochs."""
        found = [np.empty(0, np.int64)]
        while start < stop:
            epoch, at = divmod(start, self.n_chunks)
            window, place = divmod(at, self.window)
            first = window * self.window
            size = min(self.window, self.n_chunks - first)
            order = _permuted(self.seed, epoch, window, size)
            taken = order[place : place + stop - start]
            found.append(first + taken)
            start += len(taken)
        return np.concatenate(found)


@lru_cache(maxsize=4)
def _permuted(seed: int, epoch: int, window: int, size: int) -> np.ndarray:
    return np.random.default_rng([seed, _CHUNKS, epoch, window]).permutation(size)
