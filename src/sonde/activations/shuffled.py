"""Shuffled rows of a model and a corpus: what a dictionary is trained on, made as it is needed.

Forward passes run between the batches, a few chunks at a time, and every row is given once an
epoch in an order that is a function of the seed and the batch's number (see ``shuffled_rounds``).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int

from sonde.activations.row_batches import FIRST_ROWS, RowBatch, first_of
from sonde.activations.shuffled_buffer import Buffer, Piece, Room, shuffled_batches
from sonde.activations.shuffled_counts import RoundCounts
from sonde.activations.shuffled_first import FirstRows, fill
from sonde.activations.shuffled_order import ChunkOrder
from sonde.activations.shuffled_passes import ChunkPasses, ChunkRows, Packing
from sonde.activations.shuffled_room import buffer_room, hook_widths
from sonde.activations.shuffled_rounds import Rounds
from sonde.activations.shuffled_rows import RowLimits, kept_rows, refuse_nonfinite, row_limits
from sonde.activations.shuffled_settings import ShuffleSettings
from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.core.hooks import HookPoint
from sonde.models.corpus_tokens import TokenCorpus
from sonde.models.model import Model

STREAMED_WINDOW = 4096  # chunks that must be tokenised before the first batch
MEASURED = 16  # chunks on which sinks are measured
KEPT = 1 << 28  # bytes of first rows that are kept rather than made again
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class CorpusRows:
    """A ``RowSource`` of the activations of a corpus at some hook points of a model.

    ``made`` says round by round what became of the rows that were read for batches, ``counts`` of
    all rounds. ``held_counts`` says it of held-out rows, once all of them were given.

    Raises:
        SondeError: the model lacks a hook point, or does not fit the corpus.
    """

    model: Model
    corpus: TokenCorpus
    hooks: tuple[HookPoint, ...]
    settings: ShuffleSettings = field(default_factory=ShuffleSettings)
    made: RoundCounts = field(default_factory=RoundCounts)
    held_counts: Counter[str] = field(default_factory=Counter[str])
    _first: dict[int, RowBatch] = field(default_factory=dict[int, RowBatch], init=False)

    def __post_init__(self) -> None:
        hooks = sorted({self.model.check(hook) for hook in self.hooks}, key=lambda one: one.depth)
        object.__setattr__(self, "hooks", tuple(hooks))
        context, info = self.corpus.context, self.model.info
        if not hooks or context > info.context or self.first >= context:
            raise SondeError(
                f"Chunks of {context:,} tokens, the first {self.first} left out, were asked for "
                f"at {len(hooks)} hook points; {info.name} reads {info.context:,} tokens.",
                fix="Give a hook point, a context that the model reads, and a smaller first.",
            )

    @property
    def first(self) -> int:
        """How many tokens at a chunk's start give no rows."""
        return max(self.settings.first, len(self.corpus.prefix))

    @property
    def widths(self) -> dict[HookPoint, int]:
        """The hook points, and how wide each is."""
        return hook_widths(self.model, self.hooks)

    @property
    def batch(self) -> int:
        """How many rows a batch has."""
        return self.settings.batch

    @property
    def n_batches(self) -> int:
        """How many batches there are; measures sinks, which takes a pass or two.

        Raises:
            SondeError: there is not one.
        """
        if not self._rounds.n_batches:
            rows = int(self._rounds.rows.sum())
            raise SondeError(
                f"The corpus gives {rows:,} rows, and a batch has {self.batch:,}.",
                fix="Give more texts, raise tokens or epochs, or lower batch.",
            )
        return self._rounds.n_batches

    @property
    def fingerprint(self) -> str:
        """16 hex digits of all that the batches are made of."""
        info = self.model.info
        sinks = {str(hook): f"{norm:.2e}" for hook, norm in self.limits.sink_norm.items()}
        unlike = {"pass_tokens", "device"}
        made_of = [
            *(_FORMAT, info.name, info.fingerprint, info.dtype, [str(hook) for hook in self.hooks]),
            *(self.corpus.fingerprint, self.corpus.epochs, sinks, self._rounds.rows[:1].tolist()),
            self.settings.model_dump(exclude=unlike),
        ]
        return fingerprint(made_of)

    @cached_property
    def limits(self) -> RowLimits:
        """From which norm a row is a sink, measured on the first chunks."""
        chunks = self._order.read(0, min(MEASURED, self._order.n_chunks))
        found = self._passes.rows(self.corpus, chunks)
        return row_limits(
            [(rows.tensors, rows.counts) for rows, _ in found], self.settings.sink_ratio
        )

    @property
    def counts(self) -> Counter[str]:
        """What became of the rows that were read for batches; each round counts once."""
        return self.made.total

    @property
    def room(self) -> Room:
        """What the buffer holds."""
        dtype = self.model.dtype
        if self.settings.dtype is not None:
            dtype = getattr(torch, self.settings.dtype)
        each = self.corpus.context - self.first
        return buffer_room(self.settings, self.widths, each, self._order.per_round * each, dtype)

    def batches(self, start: int = 0) -> Iterator[RowBatch]:
        """Yield batches from number ``start`` on, on the model's device.

        Raises:
            SondeError: the texts end too early, or too many rows hold NaN or Inf.
        """
        _ = self.n_batches
        here = self.model.device
        device = here if self.settings.device == "model" else torch.device("cpu")
        buffer = Buffer(self._rounds, self.room, device, self.made)
        for batch in shuffled_batches(buffer, self, start):
            yield batch.to(here)

    def pieces(self, number: int) -> Iterator[Piece]:
        """Yield the rows of a round, pass by pass.

        Raises:
            SondeError: too many of them hold NaN or Inf.
        """
        whole, chunks = Counter[str](), self._order.round(number)
        for rows, done in self._passes.rows(self.corpus, chunks):
            counts = Counter[str]()
            yield Piece(self._kept(rows, counts), done / len(chunks), counts)
            whole.update(counts)
        refuse_nonfinite(whole, self.settings.max_nonfinite)

    def first_rows(self, n: int = FIRST_ROWS) -> RowBatch:
        """Return ``n`` rows to begin with, in a drawn order, or as many as an epoch has.

        They are of the first chunks of the seeded order, by passes of their own. Up to ``KEPT``
        bytes stay in the processor's memory: asked for again, they cost no pass.

        Raises:
            SondeError: all are left out, or too many hold NaN or Inf.
        """
        found = self._first.get(n)
        if found is None:
            found = self._made_first(n)
            self._first.clear()
            self._first.update({n: found} if found.bytes <= KEPT else {})
        return found.to(self.model.device)

    def _made_first(self, n: int) -> RowBatch:
        each, counts = self.corpus.context - self.first, Counter[str]()
        found = FirstRows(self.widths, min(n, self._order.n_chunks * each), self.room.dtype)
        fill(found, self._order, each, lambda one: self._rows_of(self.corpus, one, counts))
        refuse_nonfinite(counts, self.settings.max_nonfinite, "of the first rows")
        return found.drawn(self.settings.seed)

    def held_out(self, chunks: int | None = None) -> Iterator[RowBatch]:
        """Yield the rows of the part that training never sees, in the order of the texts.

        A batch is what one pass gives. Numbers of tokens are those of ``corpus.held_out``. Rows
        are left out as in training. ``chunks`` reads the first alone.

        Raises:
            SondeError: nothing is held out, or too many of all rows hold NaN or Inf.
        """
        other = self.corpus.held_out
        numbers = np.arange(other.n_chunks if chunks is None else min(chunks, other.n_chunks))
        counts: Counter[str] = Counter()
        yield from self._rows_of(other, numbers, counts)
        if len(numbers) == other.n_chunks:
            refuse_nonfinite(counts, self.settings.max_nonfinite, "held-out rows")
            self.held_counts.clear()
            self.held_counts.update(counts)

    def watched(self, rows: int) -> RowBatch:
        """Return the first ``rows`` rows that training never sees, or as many as there are.

        Of texts that are still on their way no more is waited for.

        Raises:
            SondeError: nothing is held out.
        """
        other = self.corpus.held_out_begun
        chunks = other.wait_for(-(-rows // (self.corpus.context - self.first)))
        if not chunks:
            other = self.corpus.held_out  # says why
        found = first_of(self._rows_of(other, np.arange(chunks), Counter()), rows)
        assert found is not None
        return found

    @cached_property
    def _order(self) -> ChunkOrder:
        corpus, given = self.corpus, self.settings
        window = given.window or (STREAMED_WINDOW if corpus.streamed else corpus.n_chunks)
        per_round = max(1, given.round_rows // (corpus.context - self.first))
        n_chunks = corpus.n_chunks
        per_round = min(per_round, n_chunks * corpus.epochs)
        return ChunkOrder(n_chunks, corpus.epochs, min(window, n_chunks), per_round, given.seed)

    @cached_property
    def _rounds(self) -> Rounds:
        each = self.corpus.context - self.first
        rows = np.floor(self._order.sizes * each * (1 - self.limits.spare)).astype(np.int64)
        return Rounds(rows, self.settings.delay, self.batch, self.settings.seed)

    @cached_property
    def _passes(self) -> ChunkPasses:
        n_tokens = self.corpus.n_chunks * self.corpus.epochs * self.corpus.context
        packing = Packing(self.model, n_tokens)
        return ChunkPasses(self.model, self.hooks, self.settings, packing)

    def _rows_of(
        self, corpus: TokenCorpus, chunks: Int[np.ndarray, " chunk"], counts: Counter[str]
    ) -> Iterator[RowBatch]:
        for rows, _ in self._passes.rows(corpus, chunks):
            yield self._kept(rows, counts)

    def _kept(self, rows: ChunkRows, counts: Counter[str]) -> RowBatch:
        kept = kept_rows(rows.tensors, rows.counts, self.limits, counts)
        return RowBatch(rows.tensors, rows.token).kept(kept)
