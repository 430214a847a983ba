"""Shuffled rows of a store: what a dictionary is trained on, read from disk shard by shard.

Shards are read in an order drawn anew for each epoch; a round is as many of them as have
``round_rows`` rows. From there on all is as with rows that are made (see ``shuffled_rounds``), so
that memory is bounded and the order a function of the seed and the batch's number.

A part may be held out: all rows of some groups (of some examples, where rows have no group), chosen
by a hash of the name, so that no text has rows on both sides.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int

from sonde.activations.row_batches import RowBatch
from sonde.activations.row_parts import RowParts, parts_of
from sonde.activations.shuffled_buffer import Buffer, Piece, Room, shuffled_batches
from sonde.activations.shuffled_rounds import Rounds
from sonde.activations.shuffled_rows import RowLimits, kept_rows, refuse_nonfinite, row_limits
from sonde.activations.shuffled_settings import ShuffleSettings
from sonde.activations.store import ActivationStore
from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.core.hooks import HookPoint

_SHARDS = 0x5D
_FORMAT = 2


@dataclass(frozen=True, eq=False)
class StoreRows:
    """A ``RowSource`` of the rows of a store at some of its hook points, each once an epoch.

    A row's ``token`` is its number in the store. Rows of a text's first tokens, sinks and rows
    with NaN or Inf are left out as ``settings`` say; ``window``, ``separators`` and
    ``pass_tokens`` are of no use here. ``counts`` says what became of the rows read so far.
    ``held_out_share`` of the groups are never in these batches, and in ``held_out()`` instead.
    Batches are on ``device``, which they do not depend on.

    Raises:
        SondeError: the store lacks a hook point.
    """

    store: ActivationStore
    hooks: tuple[HookPoint, ...]
    settings: ShuffleSettings = field(default_factory=ShuffleSettings)
    epochs: int = 1
    held_out_share: float = 0.0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    counts: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        absent = [str(hook) for hook in self.hooks if hook not in self.store.hooks]
        if absent or not self.hooks or self.epochs < 1:
            raise SondeError(
                f"{', '.join(absent) or 'No hook point'} was asked for, in {self.epochs} epochs, "
                f"of the store {self.store.path}.",
                fix=f"Extracted are {', '.join(map(str, self.store.hooks))}.",
            )

    @property
    def widths(self) -> dict[HookPoint, int]:
        """The hook points, and how wide each is; heads lie side by side."""
        shape = self.store.manifest.shape
        return {hook: int(np.prod(shape[str(hook)])) for hook in self.hooks}

    @property
    def batch(self) -> int:
        """How many rows a batch has."""
        return self.settings.batch

    @property
    def n_batches(self) -> int:
        """How many batches there are; measures sinks on a shard.

        Raises:
            SondeError: there is not one.
        """
        if not self._rounds.n_batches:
            raise SondeError(
                f"The store {self.store.path} gives {int(self._rounds.rows.sum()):,} rows, and a "
                f"batch has {self.batch:,}.",
                fix="Extract more, raise epochs, hold out less, or lower batch.",
            )
        return self._rounds.n_batches

    @property
    def fingerprint(self) -> str:
        """16 hex digits of all that the batches are made of."""
        manifest = self.store.manifest
        files = {name: record.sha256 for name, record in sorted(manifest.expected().items())}
        sinks = {str(hook): f"{norm:.2e}" for hook, norm in self.limits.sink_norm.items()}
        given = self.settings.model_dump(exclude={"window", "separators", "pass_tokens", "device"})
        hooks = [str(hook) for hook in self.hooks]
        made_of = [_FORMAT, files, hooks, self.epochs, self.held_out_share, sinks, given]
        return fingerprint(made_of)

    @cached_property
    def limits(self) -> RowLimits:
        """From which norm a row is a sink, measured on the first shard that is read."""
        piece = self._shard(self._order[0], self._counted)
        counts = torch.ones(len(piece), dtype=torch.bool)
        return row_limits([(piece.tensors, counts)], self.settings.sink_ratio)

    @property
    def room(self) -> Room:
        """What the buffer holds."""
        part = next(iter(self._shard(self._order[0], self._counted).tensors.values()))
        dtype = getattr(torch, self.settings.dtype) if self.settings.dtype else part.dtype
        sizes = [sum(len(self._counted(shard)) for shard in shards) for shards in self._shards]
        return Room(self.widths, max(sizes), self.settings.delay + 1, dtype)

    def batches(self, start: int = 0) -> Iterator[RowBatch]:
        """Yield batches from number ``start`` on.

        Raises:
            SondeError: a shard is damaged, or too many rows hold NaN or Inf.
        """
        _ = self.n_batches
        buffer = Buffer(self._rounds, self.room, torch.device("cpu"), self.counts)
        for batch in shuffled_batches(buffer, self, start):
            yield self._there(batch)

    def held_out(self) -> Iterator[RowBatch]:
        """Yield the rows that training never sees, in the order of the store, shard by shard.

        Rows are left out as in training.

        Raises:
            SondeError: nothing is held out.
        """
        if not self.n_held_out:
            raise SondeError(
                f"No row of the store {self.store.path} is held out: the share is "
                f"{self.held_out_share:g}, and there are {len(self._parts.names):,} groups.",
                fix="Raise held_out, or extract texts of more groups.",
            )
        for shard in range(len(self._starts) - 1):
            yield from self._cut(self._kept(self._shard(shard, self._held), Counter()))

    @property
    def n_held_out(self) -> int:
        """How many rows are held out, sinks among them."""
        return int(self._parts.held_out.sum())

    @property
    def held_out_rows(self) -> Bool[np.ndarray, " row"]:
        """Mark the rows of the store that are held out, sinks among them."""
        return self._parts.held_out

    @property
    def n_trained(self) -> int:
        """How many rows there are to train on, sinks among them."""
        return int(self._parts.trained.sum())

    @property
    def unit_names(self) -> np.ndarray:
        """The names of the groups, of ``example …`` where rows have none, by number."""
        return self._parts.names

    def units_of(self, token: Int[np.ndarray, " row"]) -> Int[np.ndarray, " row"]:
        """Return the number of the group, or of the example, that each row is of."""
        return self._parts.unit[token]

    def pieces(self, number: int) -> Iterator[Piece]:
        """Yield the rows of a round, shard by shard.

        Raises:
            SondeError: too many of them hold NaN or Inf.
        """
        before = Counter(self.counts)
        shards = self._shards[number]
        for done, shard in enumerate(shards, 1):
            rows = self._kept(self._shard(shard, self._counted), self.counts)
            yield Piece(rows, done / len(shards))
        refuse_nonfinite(self.counts, before, self.settings.max_nonfinite)

    @cached_property
    def _order(self) -> list[int]:
        """Which shards are read, one after another: those with rows to train on."""
        there = [at for at in range(len(self._starts) - 1) if len(self._counted(at))]
        if not there:
            raise SondeError(
                f"The store {self.store.path} has {len(self.store):,} rows, and none to train on: "
                f"{self.n_held_out:,} are held out, and the rest are the first "
                f"{self.settings.first} of their texts.",
                fix="Hold out less, lower shuffle.first, or extract more.",
            )
        draws = [
            np.random.default_rng([self.settings.seed, _SHARDS, epoch]).permutation(there)
            for epoch in range(self.epochs)
        ]
        return np.concatenate(draws).tolist()

    @cached_property
    def _shards(self) -> list[list[int]]:
        """The shards of each round."""
        rounds: list[list[int]] = [[]]
        rows = 0
        for shard in self._order:
            if rows >= self.settings.round_rows:
                rounds.append([])
                rows = 0
            rounds[-1].append(shard)
            rows += len(self._counted(shard))
        return rounds

    @cached_property
    def _rounds(self) -> Rounds:
        sizes = [sum(len(self._counted(shard)) for shard in shards) for shards in self._shards]
        rows = np.floor(np.array(sizes) * (1 - self.limits.spare)).astype(np.int64)
        return Rounds(rows, self.settings.delay, self.batch, self.settings.seed)

    @cached_property
    def _starts(self) -> np.ndarray:
        """The number of the first row of each shard, and that behind the last."""
        rows = [0 if shard is None else shard.rows for shard in self.store.manifest.shards]
        return np.concatenate([[0], np.cumsum(rows)])

    @cached_property
    def _parts(self) -> RowParts:
        return parts_of(self.store.rows, self.held_out_share, self.settings.first)

    def _counted(self, shard: int) -> np.ndarray:
        """Return the numbers of a shard's rows that are trained on, but for sinks."""
        return self._where(shard, self._parts.trained)

    def _held(self, shard: int) -> np.ndarray:
        """Return the numbers of a shard's rows that are held out, but for sinks."""
        return self._where(shard, self._parts.held_out)

    def _where(self, shard: int, wanted: np.ndarray) -> np.ndarray:
        start, stop = self._starts[shard : shard + 2].tolist()
        return start + np.flatnonzero(wanted[start:stop])

    def _shard(self, shard: int, which: Callable[[int], np.ndarray]) -> RowBatch:
        """Read some rows of a shard."""
        numbers = torch.from_numpy(which(shard))
        inside = numbers - int(self._starts[shard])
        tensors = {hook: self.store.shard(hook, shard)[inside].flatten(1) for hook in self.hooks}
        return RowBatch(tensors, numbers)

    def _kept(self, rows: RowBatch, counter: Counter[str]) -> RowBatch:
        """Leave out sinks and rows that are not finite."""
        counts = torch.ones(len(rows), dtype=torch.bool)
        kept = kept_rows(rows.tensors, counts, self.limits, counter)
        tensors = {hook: x[kept] for hook, x in rows.tensors.items()}
        return RowBatch(tensors, rows.token[kept])

    def _cut(self, rows: RowBatch) -> Iterator[RowBatch]:
        """Yield rows in batches, the last of which may be smaller."""
        for start in range(0, len(rows), self.batch):
            here = slice(start, start + self.batch)
            tensors = {hook: x[here] for hook, x in rows.tensors.items()}
            yield self._there(RowBatch(tensors, rows.token[here]))

    def _there(self, batch: RowBatch) -> RowBatch:
        if self.device.type == "cpu":
            return batch
        tensors = {hook: x.to(self.device) for hook, x in batch.tensors.items()}
        return RowBatch(tensors, batch.token.to(self.device))
