"""Which rows of a store's shards are trained on or held out, and in which order shards are read."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int

from sonde.activations.row_batches import RowBatch
from sonde.activations.row_parts import RowParts, parts_of
from sonde.activations.store import ActivationStore
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint

FEWEST = 4  # shards that the first rows are of, where there are as many
_SHARDS, _FIRST = 0x5D, 0x1F  # so that one seed draws different orders for different things
Numbers = Int[np.ndarray, " row"]


@dataclass(frozen=True, eq=False)
class Shards:
    """The shards of a store: rows are numbered through all of them, in the order of the store."""

    store: ActivationStore
    hooks: tuple[HookPoint, ...]
    share: float  # of the groups that are held out
    first: int  # tokens of a text that give no rows

    def __len__(self) -> int:
        return len(self._starts) - 1

    @cached_property
    def parts(self) -> RowParts:
        """The rows of both parts.

        Raises:
            SondeError: the share is not in [0, 1).
        """
        return parts_of(self.store.rows, self.share, self.first)

    def trained(self, shard: int) -> Numbers:
        """Return the numbers of a shard's rows that are trained on, but for sinks."""
        return self._where(shard, self.parts.trained)

    def held_out(self, shard: int) -> Numbers:
        """Return the numbers of a shard's rows that are held out, but for sinks."""
        return self._where(shard, self.parts.held_out)

    def check_held_out(self) -> None:
        """Refuse a store of which nothing is held out.

        Raises:
            SondeError: no row is.
        """
        if not self.parts.held_out.any():
            raise SondeError(
                f"No row of the store {self.store.path} is held out: the share is "
                f"{self.share:g}, and there are {len(self.parts.names):,} groups.",
                fix="Raise held_out, or extract texts of more groups.",
            )

    def read(self, shard: int, numbers: Numbers | None = None) -> RowBatch:
        """Read some rows of a shard, by default those to train on.

        Raises:
            SondeError: the shard is damaged.
        """
        token = torch.from_numpy(self.trained(shard) if numbers is None else numbers)
        inside = token - int(self._starts[shard])
        tensors = {hook: self.store.shard(hook, shard)[inside].flatten(1) for hook in self.hooks}
        return RowBatch(tensors, token)

    def order(self, epochs: int, seed: int) -> list[int]:
        """Return the shards with rows to train on as they are read, anew for each epoch.

        Raises:
            SondeError: there is none.
        """
        there = [at for at in range(len(self)) if len(self.trained(at))]
        if not there:
            raise SondeError(
                f"The store {self.store.path} has {len(self.store):,} rows, and none to train on: "
                f"{int(self.parts.held_out.sum()):,} are held out, and the rest are the first "
                f"{self.first} of their texts.",
                fix="Hold out less, lower shuffle.first, or extract more.",
            )
        draws = [
            np.random.default_rng([seed, _SHARDS, epoch]).permutation(there)
            for epoch in range(epochs)
        ]
        return np.concatenate(draws).tolist()

    def drawn(self, order: list[int], n: int, seed: int) -> dict[int, Numbers]:
        """Draw ``n`` rows to train on, or all there are, from the first shards of an order.

        They are drawn from all rows of as many shards as have ``n``, and ``FEWEST`` at least.
        """
        there: dict[int, Numbers] = {}
        for shard in order:
            if len(there) >= FEWEST and sum(map(len, there.values())) >= n:
                break
            there[shard] = self.trained(shard)
        rows = np.concatenate(list(there.values()))
        taken = np.random.default_rng([seed, _FIRST]).permutation(rows)[:n]
        return {shard: rows[np.isin(rows, taken)] for shard, rows in there.items()}

    def rounds(self, order: list[int], rows: int) -> list[list[int]]:
        """Return the shards of each round: as many, one after another, as have ``rows`` rows."""
        rounds: list[list[int]] = [[]]
        there = 0
        for shard in order:
            if there >= rows:
                rounds.append([])
                there = 0
            rounds[-1].append(shard)
            there += len(self.trained(shard))
        return rounds

    @cached_property
    def _starts(self) -> np.ndarray:
        """The number of the first row of each shard, and that behind the last."""
        rows = [0 if shard is None else shard.rows for shard in self.store.manifest.shards]
        return np.concatenate([[0], np.cumsum(rows)])

    def _where(self, shard: int, wanted: np.ndarray) -> Numbers:
        start, stop = self._starts[shard : shard + 2].tolist()
        return start + np.flatnonzero(wanted[start:stop])
