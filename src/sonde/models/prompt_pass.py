"""Passes over prompts that compute what rows have in common once.

Rows share tokens that all prompts begin with, as far as their edits agree, and of one prompt the
blocks below the first edit in which they differ.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.core.edits import Replace
from sonde.models.hooking import Taps, hooked
from sonde.models.model import Model
from sonde.models.row_cache import Piece, RowCache, assembled
from sonde.models.row_edits import Edits, Placed, below
from sonde.models.sharing import Sharing, parting, sharing
from sonde.models.stacking import scoped_edits, stack

# A pass of its own for the tokens in common pays from so many tokens saved.
WORTH_A_PASS = 64


@dataclass(frozen=True, slots=True, eq=False)
class PromptStream:
    """A prompt and the edits that act on it: rows that agree in both share it."""

    tokens: tuple[int, ...]
    edits: Edits = ()

    def key(self, block: int | None = None) -> Hashable:
        """Return what tells it from others, up to and with a block or altogether."""
        return self.tokens, below(self.edits, block)


@dataclass(frozen=True, slots=True, eq=False)
class PromptStates:
    """What passes over prompts left: the cache, and each stream's last activations, normed.

    In each block the cache has a row for each stream of ``shared`` there.
    """

    cache: RowCache
    shared: Sharing
    hidden: Float[Tensor, "stream d_model"]

    def piece(self, block: int, streams: Sequence[int], to: Int[Tensor, "row"]) -> Piece:
        """Return one block's keys and values of streams, as rows ``to`` of another cache."""
        level = self.shared.at(block)
        rows = torch.tensor([level.of[stream] for stream in streams], dtype=torch.long)
        return Piece(self.cache, rows, to)

    def only(self, stream: int) -> "PromptStates":
        """Return what was read of one stream, in a cache of its own."""
        cache = assembled(
            lambda block: [self.piece(block, [stream], torch.tensor([0]))],
            len(self.cache.blocks),
            width=self.cache.length,
            length=self.cache.length,
        )
        alone = sharing([], lambda row, _: row, 1)
        return PromptStates(cache, alone, self.hidden[stream : stream + 1])


def read_prompts(model: Model, streams: Sequence[PromptStream]) -> PromptStates:
    """Read prompts, each with its edits, and keep what continuations need.

    All streams of a pass read as many tokens. Where tokens in common were read ahead, a shorter
    prompt reads some of them again in place of padding.
    """
    ahead = _tokens_ahead(model, streams)
    if not ahead:
        return _read(model, streams, sharing_of(streams), None)
    shared = sharing_of(streams)
    firsts = [PromptStream(stream.tokens[:ahead], stream.edits) for stream in streams]
    kinds = {first.key(): first for first in firsts}
    names = list(kinds)
    states = _read(model, list(kinds.values()), sharing_of(list(kinds.values())), None)
    kind = [names.index(first.key()) for first in firsts]
    return _read(model, streams, shared, _laid_out(states, kind, streams, shared))


def sharing_of(streams: Sequence[PromptStream]) -> Sharing:
    """Return which streams are alike up to each block."""
    starts = {placed.start for stream in streams for placed in stream.edits}
    return sharing(starts, lambda row, start: streams[row].key(start), len(streams))


def _tokens_ahead(model: Model, streams: Sequence[PromptStream]) -> int:
    """Return how many tokens to read ahead: those in common, where that saves enough of them."""
    if model.rope_switch is not None:
        return 0  # a short pass would read them with the frequencies of short texts
    alike = zip(*(stream.tokens[:-1] for stream in streams), strict=False)
    common = sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, alike))
    kinds = {below(stream.edits) for stream in streams}
    return common if (len(streams) - len(kinds)) * common >= WORTH_A_PASS else 0


def _laid_out(
    states: PromptStates, kind: Sequence[int], streams: Sequence[PromptStream], shared: Sharing
) -> RowCache:
    """Give each stream of the next pass what was read ahead of its prompt, up to where it reads."""
    ahead, longest = states.cache.length, max(len(stream.tokens) for stream in streams)
    ends = [max(0, ahead - longest + len(stream.tokens)) for stream in streams]

    def pieces(block: int) -> list[Piece]:
        by_end: dict[int, list[int]] = defaultdict(list)
        representatives = shared.at(block).representatives
        for number, stream in enumerate(representatives):
            by_end[ends[stream]].append(number)
        return [
            replace(
                states.piece(
                    block, [kind[representatives[n]] for n in numbers], torch.tensor(numbers)
                ),
                end=end,
            )
            for end, numbers in by_end.items()
        ]

    n_layers = len(states.cache.blocks)
    return assembled(pieces, n_layers, width=longest, length=ahead, emptied=[states.cache])


def _read(
    model: Model, streams: Sequence[PromptStream], shared: Sharing, before: RowCache | None
) -> PromptStates:
    """Read what is left of the prompts, all to the same place."""
    device = model.device
    longest = max(len(stream.tokens) for stream in streams)
    start = 0 if before is None else before.length
    cache = before or RowCache(model.info.n_layers, longest)
    own = [  # each place's index in its own prompt; below 0 it is padding
        torch.arange(start, longest) - (longest - len(stream.tokens)) for stream in streams
    ]
    edits = [_bound(stream.edits, own[row]) for row, stream in enumerate(streams)]
    rows = shared.first.representatives
    ids = [_tokens_at(streams[row].tokens, own[row]) for row in rows]
    lengths = torch.tensor([len(streams[row].tokens) for row in rows])
    real = torch.arange(longest)[None] >= longest - lengths[:, None]
    scoped = scoped_edits(
        stack(edits, device), shared, lambda row, placed: _reached(placed, own[row])
    )
    with torch.no_grad(), parting(model, shared), hooked(model, Taps(scoped, {})):
        out = model.decoder(
            input_ids=torch.stack(ids).to(device),
            attention_mask=real.to(device),
            position_ids=torch.stack([own[row].clamp(min=0) for row in rows]).to(device),
            past_key_values=cache,
            use_cache=True,
        )
    hidden = out.last_hidden_state[:, -1]
    return PromptStates(cache, shared, hidden[shared.last.streams.to(hidden.device)])


def _tokens_at(tokens: tuple[int, ...], own: Int[Tensor, "pos"]) -> Int[Tensor, "pos"]:
    return torch.tensor(tokens)[own.clamp(min=0)].where(own >= 0, 0)


def _bound(edits: Edits, own: Int[Tensor, "pos"]) -> Edits:
    """Give edits with a value for each token of the prompt those of the pass's places."""
    return tuple(
        replace(placed, edit=replace(placed.edit, value=placed.edit.value[:, own.clamp(min=0)]))
        if isinstance(placed.edit, Replace) and placed.edit.value.ndim == 3
        else placed
        for placed in edits
    )


def _reached(placed: Placed, own: Int[Tensor, "pos"]) -> Bool[Tensor, "pos"] | None:
    tokens = placed.edit.scope.tokens
    if tokens is None:
        return None
    return tokens[0].cpu()[own.clamp(min=0)] & (own >= 0)
