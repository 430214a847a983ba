"""A batch of rows that are being continued: one step a token, rows come and go between steps."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sonde.models.head import head_logits
from sonde.models.hooking import Taps, hooked
from sonde.models.model import Model
from sonde.models.prompt_pass import PromptStates, PromptStream
from sonde.models.row_cache import Piece, RowCache, assembled
from sonde.models.row_edits import Edits, Placed, below
from sonde.models.sharing import parting, sharing
from sonde.models.stacking import Stack, scoped_edits, stack


@dataclass(slots=True, eq=False)
class LiveRow:
    """A row that is being continued; ``edits`` are those of its generated tokens.

    ``text`` is a number that rows of a batch which wrote the same so far have in common.
    """

    number: int
    stream: PromptStream
    edits: Edits
    tokens: list[int] = field(default_factory=list)
    text: int = 0
    margin: float = float("inf")
    finished: bool = False
    _kinds: dict[int, int] = field(default_factory=dict)  # by block

    @property
    def length(self) -> int:
        """How many tokens of it are in the cache: all but the last one made."""
        return len(self.stream.tokens) + len(self.tokens) - 1

    def key(self, block: int, names: dict[Hashable, int]) -> Hashable:
        """Return what tells it from others of the batch, up to and with a block."""
        if block not in self._kinds:
            kind = self.stream.key(block), below(self.edits, block)
            self._kinds[block] = names.setdefault(kind, len(names))
        return self._kinds[block], self.text

    def starts(self) -> set[int]:
        """Return the blocks at which it may part from others."""
        return {placed.start for placed in (*self.stream.edits, *self.edits)}


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """Rows that go on from prompts read: row ``i`` from stream ``streams[i]`` of ``states``."""

    rows: Sequence[LiveRow]
    states: PromptStates
    streams: Sequence[int]


@dataclass(slots=True, eq=False)
class Batch:
    """Rows, their cache, and their edits stacked."""

    model: Model
    rows: list[LiveRow] = field(default_factory=list)
    cache: RowCache | None = None
    _stacks: tuple[Stack, ...] = ()
    _starts: frozenset[int] = frozenset()
    _names: dict[Hashable, int] = field(default_factory=dict)

    @property
    def n_held(self) -> int:
        """How many tokens its cache holds, padding included."""
        return 0 if self.cache is None else self.cache.n_held

    def change(self, arrivals: Sequence[Arrivals], max_new_tokens: int) -> None:
        """Let the rows that have finished go, and take others in."""
        kept = [place for place, row in enumerate(self.rows) if not row.finished]
        self.rows = [self.rows[place] for place in kept]
        old, came = self.cache, len(self.rows)
        for group in arrivals:
            self.rows += group.rows
        self._stacks = stack([row.edits for row in self.rows], self.model.device)
        self._starts = frozenset(start for row in self.rows for start in row.starts())
        if not self.rows:
            self.cache = None
            return

        def pieces(block: int) -> list[Piece]:
            found, first = [], came
            if old is not None and kept:
                found.append(Piece(old, torch.tensor(kept), torch.arange(came)))
            for group in arrivals:
                to = torch.arange(first, first + len(group.rows))
                found.append(group.states.piece(block, group.streams, to))
                first += len(group.rows)
            return found

        length, width = extent(self.rows, max_new_tokens)
        self.cache = assembled(
            pieces,
            self.model.info.n_layers,
            width=width,
            length=length,
            emptied=[] if old is None else [old],
        )

    def step(self) -> Float[Tensor, "row d_vocab"]:
        """Read the last token of each row and return the logits of the next."""
        assert self.cache is not None
        shared = sharing(
            self._starts, lambda row, start: self.rows[row].key(start, self._names), len(self.rows)
        )
        self.cache.share(shared)
        rows = [self.rows[place] for place in shared.first.representatives]
        device, place = self.model.device, self.cache.length
        lengths = torch.tensor([[row.length] for row in rows])
        real = torch.arange(place + 1)[None] >= place - lengths
        scoped = scoped_edits(self._stacks, shared, self._reach)
        with torch.no_grad(), parting(self.model, shared), hooked(self.model, Taps(scoped, {})):
            out = self.model.decoder(
                input_ids=torch.tensor([[row.tokens[-1]] for row in rows]).to(device),
                attention_mask=real.to(device),
                position_ids=lengths.to(device),
                past_key_values=self.cache,
                use_cache=True,
            )
            logits = head_logits(self.model, out.last_hidden_state[:, -1])
        if shared.last.is_whole:
            return logits
        return logits[shared.last.streams.to(logits.device)]

    def _reach(self, row: int, placed: Placed) -> Bool[Tensor, "pos"] | None:
        step = len(self.rows[row].tokens) - 1
        return None if placed.edit.scope.reaches_step(step) else torch.zeros(1, dtype=torch.bool)


def extent(rows: Sequence[LiveRow], max_new_tokens: int) -> tuple[int, int]:
    """Return how long the longest row is, and how wide a cache that all may end in.

    A row that begins counts as having made its first token.
    """
    lengths = [len(row.stream.tokens) + max(len(row.tokens), 1) - 1 for row in rows]
    left = [max_new_tokens - max(len(row.tokens), 1) for row in rows]
    return max(lengths), max(lengths) + max(left)
