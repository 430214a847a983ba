"""Shuffled rows of a store: what a dictionary is trained on, read from disk shard by shard.

Shards are read in an order drawn anew for each epoch; a round is as many of them as have
``round_rows`` rows. From there on all is as with rows that are made (see ``shuffled_rounds``), so
that memory is bounded and the order a function of the seed and the batch's number.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sonde.activations.row_batches import RowBatch
from sonde.activations.shuffled_buffer import Buffer, Piece, Room, shuffled_batches
from sonde.activations.shuffled_rounds import Rounds
from sonde.activations.shuffled_rows import RowLimits, kept_rows, refuse_nonfinite, row_limits
from sonde.activations.shuffled_settings import ShuffleSettings
from sonde.activations.store import ActivationStore
from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.core.hooks import HookPoint

_SHARDS = 0x5D
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class StoreRows:
    """A ``RowSource`` of the rows of a store at some of its hook points, each once an epoch.

    A row's ``token`` is its number in the store. Rows of a text's first tokens, sinks and rows
    with NaN or Inf are left out as ``settings`` say; ``window``, ``separators`` and
    ``pass_tokens`` are of no use here. ``counts`` says what became of the rows read so far.

    Raises:
        SondeError: the store lacks a hook point.
    """

    store: ActivationStore
    hooks: tuple[HookPoint, ...]
    settings: ShuffleSettings = field(default_factory=ShuffleSettings)
    epochs: int = 1
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
                fix="Extract more, raise epochs, or lower batch.",
            )
        return self._rounds.n_batches

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of all that the batches are made of."""
        manifest = self.store.manifest
        files = {name: record.sha256 for name, record in sorted(manifest.expected().items())}
        sinks = {str(hook): f"{norm:.2e}" for hook, norm in self.limits.sink_norm.items()}
        given = self.settings.model_dump(exclude={"window", "separators", "pass_tokens", "device"})
        hooks = [str(hook) for hook in self.hooks]
        return fingerprint([_FORMAT, files, hooks, self.epochs, sinks, given])

    @cached_property
    def limits(self) -> RowLimits:
        """From which norm a row is a sink, measured on the first shard that is read."""
        piece, counts = self._shard(self._order[0])
        return row_limits([(piece.tensors, counts)], self.settings.sink_ratio)

    @property
    def room(self) -> Room:
        """What the buffer holds."""
        part = next(iter(self._shard(self._order[0])[0].tensors.values()))
        dtype = getattr(torch, self.settings.dtype) if self.settings.dtype else part.dtype
        sizes = [sum(len(self._counted(shard)) for shard in shards) for shards in self._shards]
        return Room(self.widths, max(sizes), self.settings.delay + 1, dtype)

    def batches(self, start: int = 0) -> Iterator[RowBatch]:
        """Yield batches from number ``start`` on, on the CPU.

        Raises:
            SondeError: a shard is damaged, or too many rows hold NaN or Inf.
        """
        _ = self.n_batches
        buffer = Buffer(self._rounds, self.room, torch.device("cpu"), self.counts)
        yield from shuffled_batches(buffer, self, start)

    def pieces(self, number: int) -> Iterator[Piece]:
        """Yield the rows of a round, shard by shard.

        Raises:
            SondeError: too many of them hold NaN or Inf.
        """
        before = Counter(self.counts)
        shards = self._shards[number]
        for done, shard in enumerate(shards, 1):
            piece, counts = self._shard(shard)
            kept = kept_rows(piece.tensors, counts, self.limits, self.counts)
            tensors = {hook: x[kept] for hook, x in piece.tensors.items()}
            yield Piece(RowBatch(tensors, piece.token[kept]), done / len(shards))
        refuse_nonfinite(self.counts, before, self.settings.max_nonfinite)

    @cached_property
    def _order(self) -> list[int]:
        """Which shards are read, one after another."""
        many = len(self._starts) - 1
        draws = [
            np.random.default_rng([self.settings.seed, _SHARDS, epoch]).permutation(many)
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

    def _counted(self, shard: int) -> np.ndarray:
        """Return the numbers of a shard's rows that are none of a text's first tokens."""
        start, stop = self._starts[shard : shard + 2].tolist()
        return start + np.flatnonzero(self.store.rows.token[start:stop] >= self.settings.first)

    def _shard(self, shard: int) -> tuple[RowBatch, Tensor]:
        """Read the rows of a shard that count, and say that they do."""
        numbers = torch.from_numpy(self._counted(shard))
        inside = numbers - int(self._starts[shard])
        tensors = {hook: self.store.shard(hook, shard)[inside].flatten(1) for hook in self.hooks}
        return RowBatch(tensors, numbers), torch.ones(len(numbers), dtype=torch.bool)
