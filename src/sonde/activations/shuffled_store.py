"""Shuffled rows of a store: what a dictionary is trained on, read from disk shard by shard.

Shards are read in an order drawn anew for each epoch; a round is as many of them as have
``round_rows`` rows. From there on all is as with rows that are made (see ``shuffled_rounds``), so
that memory is bounded and the order a function of the seed and the batch's number.

A part may be held out: all rows of some groups (of some examples, where rows have no group), chosen
by a hash of the name, so that no text has rows on both sides.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Int

from sonde.activations.row_batches import FIRST_ROWS, RowBatch, first_of
from sonde.activations.shuffled_buffer import Buffer, Piece, Room, shuffled_batches
from sonde.activations.shuffled_counts import RoundCounts
from sonde.activations.shuffled_first import FirstRows
from sonde.activations.shuffled_rounds import Rounds
from sonde.activations.shuffled_rows import RowLimits, kept_rows, refuse_nonfinite, row_limits
from sonde.activations.shuffled_settings import ShuffleSettings
from sonde.activations.shuffled_shards import Shards
from sonde.activations.store import ActivationStore
from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.core.hooks import HookPoint

_FORMAT = 2


@dataclass(frozen=True, eq=False)
class StoreRows:
    """A ``RowSource`` of the rows of a store at some of its hook points, each once an epoch.

    A row's ``token`` is its number in the store. Rows of a text's first tokens, sinks and rows
    with NaN or Inf are left out as ``settings`` say; ``window``, ``separators`` and
    ``pass_tokens`` are of no use here. ``held_out_share`` of the groups are never in these batches,
    and in ``held_out()`` instead. Batches are on ``device``, which they do not depend on.

    ``made`` says round by round what became of the rows that were read for batches, ``counts`` of
    all rounds. ``held_counts`` says it of held-out rows, once all of them were given.

    Raises:
        SondeError: the store lacks a hook point.
    """

    store: ActivationStore
    hooks: tuple[HookPoint, ...]
    settings: ShuffleSettings = field(default_factory=ShuffleSettings)
    epochs: int = 1
    held_out_share: float = 0.0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    made: RoundCounts = field(default_factory=RoundCounts)
    held_counts: Counter[str] = field(default_factory=Counter[str])

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
        return {hook: int(np.prod(self.store.manifest.shape[str(hook)])) for hook in self.hooks}

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
        piece = self._shards.read(self._order[0])
        counts = torch.ones(len(piece), dtype=torch.bool)
        return row_limits([(piece.tensors, counts)], self.settings.sink_ratio)

    @property
    def room(self) -> Room:
        """What the buffer holds."""
        part = next(iter(self._shards.read(self._order[0]).tensors.values()))
        dtype = getattr(torch, self.settings.dtype) if self.settings.dtype else part.dtype
        return Room(self.widths, max(self._sizes), self.settings.delay + 1, dtype)

    @property
    def counts(self) -> Counter[str]:
        """What became of the rows that were read for batches; each round counts once."""
        return self.made.total

    def batches(self, start: int = 0) -> Iterator[RowBatch]:
        """Yield batches from number ``start`` on.

        Raises:
            SondeError: a shard is damaged, or too many rows hold NaN or Inf.
        """
        _ = self.n_batches
        buffer = Buffer(self._rounds, self.room, torch.device("cpu"), self.made)
        for batch in shuffled_batches(buffer, self, start):
            yield batch.to(self.device)

    def first_rows(self, n: int = FIRST_ROWS) -> RowBatch:
        """Return about ``n`` rows to begin with, in a drawn order, or as many as an epoch has.

        They are of the first shards that are read, of several where there are.

        Raises:
            SondeError: all are left out, or too many hold NaN or Inf.
        """
        seed, counts = self.settings.seed, Counter[str]()
        wanted = int(np.ceil(n / (1 - self.limits.spare)))
        drawn = self._shards.drawn(self._order[: len(self._order) // self.epochs], wanted, seed)
        there = sum(map(len, drawn.values()))
        found = FirstRows(self.widths, min(n, there), self.room.dtype)
        for shard, numbers in drawn.items():
            found.add(self._kept(self._shards.read(shard, numbers), counts))
        refuse_nonfinite(counts, self.settings.max_nonfinite, "of the first rows")
        return found.drawn(seed).to(self.device)

    def held_out(self) -> Iterator[RowBatch]:
        """Yield the rows that training never sees, in the order of the store, shard by shard.

        Rows are left out as in training.

        Raises:
            SondeError: nothing is held out, or too many rows hold NaN or Inf.
        """
        shards, counts = self._shards, Counter[str]()
        shards.check_held_out()
        for shard in range(len(shards)):
            rows = self._kept(shards.read(shard, shards.held_out(shard)), counts)
            for start in range(0, len(rows), self.batch):
                yield rows.part(start, start + self.batch).to(self.device)
        refuse_nonfinite(counts, self.settings.max_nonfinite, "held-out rows")
        self.held_counts.clear()
        self.held_counts.update(counts)

    def watched(self, rows: int) -> RowBatch:
        """Return the first ``rows`` rows that training never sees, or as many as there are.

        Raises:
            SondeError: nothing is held out.
        """
        found = first_of(self.held_out(), rows)
        assert found is not None
        return found

    @property
    def n_held_out(self) -> int:
        """How many rows are held out, sinks among them."""
        return int(self._shards.parts.held_out.sum())

    @property
    def held_out_rows(self) -> Bool[np.ndarray, " row"]:
        """Mark the rows of the store that are held out, sinks among them."""
        return self._shards.parts.held_out

    @property
    def n_trained(self) -> int:
        """How many rows there are to train on, sinks among them."""
        return int(self._shards.parts.trained.sum())

    @property
    def unit_names(self) -> np.ndarray:
        """The names of the groups, of ``example …`` where rows have none, by number."""
        return self._shards.parts.names

    def units_of(self, token: Int[np.ndarray, " row"]) -> Int[np.ndarray, " row"]:
        """Return the number of the group, or of the example, that each row is of."""
        return self._shards.parts.unit[token]

    def pieces(self, number: int) -> Iterator[Piece]:
        """Yield the rows of a round, shard by shard.

        Raises:
            SondeError: too many of them hold NaN or Inf.
        """
        whole, shards = Counter[str](), self._by_round[number]
        for done, shard in enumerate(shards, 1):
            counts = Counter[str]()
            yield Piece(self._kept(self._shards.read(shard), counts), done / len(shards), counts)
            whole.update(counts)
        refuse_nonfinite(whole, self.settings.max_nonfinite)

    @cached_property
    def _order(self) -> list[int]:
        """Which shards are read, one after another."""
        return self._shards.order(self.epochs, self.settings.seed)

    @cached_property
    def _by_round(self) -> list[list[int]]:
        """The shards of each round."""
        return self._shards.rounds(self._order, self.settings.round_rows)

    @cached_property
    def _sizes(self) -> list[int]:
        """How many rows each round reads."""
        return [sum(len(self._shards.trained(one)) for one in each) for each in self._by_round]

    @cached_property
    def _rounds(self) -> Rounds:
        rows = np.floor(np.array(self._sizes) * (1 - self.limits.spare)).astype(np.int64)
        return Rounds(rows, self.settings.delay, self.batch, self.settings.seed)

    @cached_property
    def _shards(self) -> Shards:
        return Shards(self.store, self.hooks, self.held_out_share, self.settings.first)

    def _kept(self, rows: RowBatch, counts: Counter[str]) -> RowBatch:
        """Leave out sinks and rows that are not finite."""
        every = torch.ones(len(rows), dtype=torch.bool)
        return rows.kept(kept_rows(rows.tensors, every, self.limits, counts))
