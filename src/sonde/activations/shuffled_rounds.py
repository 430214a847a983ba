"""The order of shuffled rows: rounds that are made, and stretches of rows that are given.

Round r gives ``rows[r]`` rows, drawn from all that its passes (or shards) gave. A seeded
permutation deals them into ``delay`` parts, which the stretches r to r + delay - 1 give; what one
stretch gives is permuted again. Batches are cut from the stretches end to end.

How many rows a round gives is fixed before anything is run, so where batch n begins is arithmetic:
resuming there runs the ``delay`` rounds that its stretch draws on, and nothing else is stored. The
rows that passes really give vary, as sinks are seen only then. So rounds are asked for a little
less than is expected: what is above it is left over, and should a round fall short, some of its
rows are given twice. Both are counted.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Int

_CHOSEN, _GIVEN = 0xC0, 0x61  # so that one seed draws different orders for different things


@dataclass(frozen=True, eq=False)
class Rounds:
    """How many rows each round gives, and the order in which they come."""

    rows: Int[np.ndarray, " round"]
    delay: int
    batch: int
    seed: int

    @property
    def n_batches(self) -> int:
        """How many whole batches there are."""
        return int(self.rows.sum()) // self.batch

    @property
    def unused(self) -> int:
        """Rows at the end that fill no batch."""
        return int(self.rows.sum()) % self.batch

    @cached_property
    def ends(self) -> Int[np.ndarray, " stretch"]:
        """How many rows were given when each stretch ends."""
        sizes = np.zeros(len(self.rows) + self.delay - 1, np.int64)
        for part in range(self.delay):
            start, stop = self._edges(part)
            sizes[part : part + len(self.rows)] += stop - start
        return np.cumsum(sizes)

    def located(self, batch: int) -> tuple[int, int]:
        """Return the stretch in which a batch begins, and at which of its rows."""
        row = batch * self.batch
        stretch = int(np.searchsorted(self.ends, row, "right"))
        return stretch, row - (int(self.ends[stretch - 1]) if stretch else 0)

    def drawn_on(self, stretch: int) -> range:
        """Return the rounds whose rows a stretch gives."""
        return range(max(0, stretch - self.delay + 1), min(stretch + 1, len(self.rows)))

    def chosen(self, number: int, there: int) -> Int[np.ndarray, " row"]:
        """Return which of the ``there`` rows that a round has it gives, in the order dealt."""
        rng = np.random.default_rng([self.seed, _CHOSEN, number])
        wanted = int(self.rows[number])
        drawn = [rng.permutation(there) for _ in range(-(-wanted // max(1, there)))]
        return np.concatenate([np.empty(0, np.int64), *drawn])[:wanted]

    def part(self, number: int, stretch: int) -> slice:
        """Return which of a round's dealt rows a stretch gives."""
        start, stop = self._edges(stretch - number)
        return slice(int(start[number]), int(stop[number]))

    def order(self, stretch: int, rows: int) -> Int[np.ndarray, " row"]:
        """Return the order in which a stretch gives its rows."""
        return np.random.default_rng([self.seed, _GIVEN, stretch]).permutation(rows)

    def _edges(self, part: int) -> tuple[np.ndarray, np.ndarray]:
        return self.rows * part // self.delay, self.rows * (part + 1) // self.delay
