"""The stream of full batches: rows are begun as others end, within a budget of cached tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.models.generate import end_tokens
from sonde.models.grid_batch import Arrivals, Batch, LiveRow, extent
from sonde.models.head import head_logits
from sonde.models.model import Model
from sonde.models.packed import Packed, packed
from sonde.models.prompt_pass import PromptStates, PromptStream, read_prompts
from sonde.models.sampling import next_tokens, row_uniforms

# Rows that have ended leave, and others come, when they are this share of the batch: either copies
# the cache once.
LEAVING, COMING = 1 / 8, 1 / 4
LOGITS = 2**24  # numbers that choosing tokens may copy at once


@dataclass(frozen=True, slots=True)
class Choice:
    """How tokens are chosen, and how many."""

    max_new_tokens: int
    temperature: float
    top_p: float
    seed: int


@dataclass(slots=True, eq=False)
class RowStream:
    """Rows waiting, rows being continued, and what was read for rows that wait."""

    model: Model
    waiting: list[LiveRow]  # the next one last
    choice: Choice
    budget: int
    batch: Batch = field(init=False)
    held: tuple[PromptStream, PromptStates] | None = None
    _packed: Packed = field(init=False)
    _ends: frozenset[int] = field(init=False)
    _uniforms: dict[int, Float[Tensor, "step"]] = field(default_factory=dict)
    _texts: int = 0

    def __post_init__(self) -> None:
        self.batch = Batch(self.model)
        n_tokens = len(self.waiting) * self.choice.max_new_tokens
        self._packed = packed(self.model, n_tokens)
        self._ends = frozenset(end_tokens(self.model))

    @property
    def n_held(self) -> int:
        """How many tokens caches hold, padding included."""
        return self.batch.n_held + (0 if self.held is None else self.held[1].cache.n_held)

    def run(self) -> Iterator[LiveRow]:
        """Continue all rows, and yield each one as it ends."""
        while self.waiting or self.batch.rows:
            yield from self._admitted()
            rows = self.batch.rows
            if not rows:
                continue
            with self._packed.applied():
                logits = self.batch.step()
            ended = self._chosen(logits, rows)
            yield from ended
            n_ended = sum(row.finished for row in rows)
            if n_ended == len(rows) or (n_ended and n_ended >= LEAVING * len(rows)):
                self.batch.change([], self.choice.max_new_tokens)

    def _admitted(self) -> Iterator[LiveRow]:
        """Begin rows where there is room for enough of them; yield those that end at once."""
        live = [row for row in self.batch.rows if not row.finished]
        came = self._room(live)
        if not came or (len(came) < COMING * len(live) and len(came) < len(self.waiting)):
            return
        del self.waiting[len(self.waiting) - len(came) :]
        arrivals = self._read(came)
        ended: list[LiveRow] = []
        for group in arrivals:
            at = torch.tensor(group.streams).to(group.states.hidden.device)
            with torch.no_grad(), self._packed.applied():
                logits = head_logits(self.model, group.states.hidden)
            ended += self._chosen(logits, group.rows, at)
        self.batch.change(
            [group for group in map(_going_on, arrivals) if group.rows], self.choice.max_new_tokens
        )
        self._hold(arrivals)
        yield from sorted(ended, key=lambda row: row.number)

    def _room(self, live: Sequence[LiveRow]) -> list[LiveRow]:
        """Return as many of the waiting rows as fit."""
        if not self.waiting:
            return []
        n_new = self.choice.max_new_tokens
        held = 0 if self.held is None else self.held[1].cache.n_held
        came: list[LiveRow] = []
        streams: dict[int, PromptStream] = {}
        switch = self.model.rope_switch or 0
        side = len((live[0] if live else self.waiting[-1]).stream.tokens) > switch
        length, width = extent(live, n_new) if live else (0, 0)
        for row in reversed(self.waiting):
            n_tokens = len(row.stream.tokens)
            if (n_tokens > switch) != side:
                break
            length, width = max(length, n_tokens), max(width, max(length, n_tokens) + n_new - 1)
            if self.held is None or row.stream is not self.held[0]:
                streams[id(row.stream)] = row.stream
            longest = max((len(stream.tokens) for stream in streams.values()), default=0)
            cost = (len(live) + len(came) + 1) * width + held + len(streams) * longest
            if cost > self.budget:
                break
            came.append(row)
        return came

    def _read(self, rows: Sequence[LiveRow]) -> list[Arrivals]:
        """Read the prompts of rows that were not read yet, and say where each row goes on."""
        groups: list[Arrivals] = []
        old = [row for row in rows if self.held is not None and row.stream is self.held[0]]
        if self.held is not None and old:
            groups.append(Arrivals(old, self.held[1], [0] * len(old)))
        new = [row for row in rows if self.held is None or row.stream is not self.held[0]]
        if new:
            self.held = self.held if old else None
            streams = list({id(row.stream): row.stream for row in new}.values())
            place = {id(stream): number for number, stream in enumerate(streams)}
            with self._packed.applied():
                states = read_prompts(self.model, streams)
            groups.append(Arrivals(new, states, [place[id(row.stream)] for row in new]))
        return groups

    def _hold(self, arrivals: Sequence[Arrivals]) -> None:
        """Keep what was read of the next row's prompt, where it was, and nothing else."""
        stream = self.waiting[-1].stream if self.waiting else None
        if self.held is not None and self.held[0] is stream:
            return
        self.held = None
        for group in arrivals:
            for row, number in zip(group.rows, group.streams, strict=True):
                if row.stream is stream and stream is not None:
                    self.held = stream, group.states.only(number)
                    return

    def _chosen(
        self,
        logits: Float[Tensor, "stream d_vocab"],
        rows: Sequence[LiveRow],
        streams: Int[Tensor, "row"] | None = None,
    ) -> list[LiveRow]:
        """Give each row its next token, and return the rows that end with it."""
        tokens, margins = self._next(logits, rows, streams)
        texts: dict[tuple[int, int], int] = {}
        ended = []
        for row, token, margin in zip(rows, tokens, margins, strict=True):
            if row.finished:
                continue
            row.margin = min(row.margin, margin)
            if token in self._ends:
                row.finished = True
            row.tokens.append(token)
            row.text = texts.setdefault((row.text, token), self._texts + len(texts))
            row.finished |= len(row.tokens) == self.choice.max_new_tokens
            if row.finished:
                ended.append(row)
        self._texts += len(texts)
        return ended

    def _next(
        self, logits: Tensor, rows: Sequence[LiveRow], streams: Tensor | None
    ) -> tuple[list[int], list[float]]:
        """Return each row's next token, and by how much it was the best."""
        if self.choice.temperature == 0:
            tokens, margins = _best(logits)
            if streams is not None:
                tokens, margins = tokens[streams], margins[streams]
            return tokens.tolist(), margins.tolist()
        uniforms = torch.stack([self._uniform(row) for row in rows]).to(logits.device)
        found: list[int] = []
        size = max(1, LOGITS // logits.shape[1])
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            some = logits[part] if streams is None else logits[streams[part]]
            chosen = next_tokens(some, uniforms[part], self.choice.temperature, self.choice.top_p)
            found += chosen.tolist()
        return found, [float("inf")] * len(rows)

    def _uniform(self, row: LiveRow) -> Tensor:
        """Return the row's draw for its next token; a row that ended draws nothing more."""
        if row.number not in self._uniforms:
            n_new = self.choice.max_new_tokens
            self._uniforms[row.number] = row_uniforms(self.choice.seed, [row.number], n_new)[0]
        draws = self._uniforms[row.number]
        return draws[min(len(row.tokens), len(draws) - 1)]


def _going_on(group: Arrivals) -> Arrivals:
    places = [place for place, row in enumerate(group.rows) if not row.finished]
    return Arrivals(
        [group.rows[place] for place in places],
        group.states,
        [group.streams[place] for place in places],
    )


def _best(
    logits: Float[Tensor, "row d_vocab"],
) -> tuple[Int[Tensor, "row"], Float[Tensor, "row"]]:
    """Return the likeliest tokens and the gaps to the second best; 0 where a logit is NaN.

    The logits of the best are overwritten.
    """
    best, tokens = logits.max(dim=-1)
    second = logits.scatter_(1, tokens[:, None], -torch.inf).amax(dim=-1)
    return tokens, (best - second).float().nan_to_num(nan=0.0)
