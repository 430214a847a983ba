"""Passes over texts that are given, each after its prompt and with a row's edits."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.models.grid_plan import row_cost
from sonde.models.hooking import Taps, hooked
from sonde.models.model import Model
from sonde.models.prompt_pass import PromptStates, PromptStream, read_prompts
from sonde.models.row_cache import Piece, RowCache, assembled
from sonde.models.row_edits import Edits, below
from sonde.models.sharing import Sharing, parting, sharing
from sonde.models.stacking import scoped_edits, stack


@dataclass(frozen=True, slots=True, eq=False)
class GivenText:
    """A text after a prompt, with the edits of its tokens; ``rows`` are those that ask for it."""

    stream: PromptStream
    edits: Edits
    tokens: tuple[int, ...]
    rows: tuple[int, ...] = ()

    @property
    def place(self) -> Hashable:
        """What it has in common with the same text under other edits."""
        return self.stream.tokens, self.tokens

    def key(self, block: int | None = None) -> Hashable:
        """Return what tells it from others, up to and with a block or altogether."""
        return self.stream.key(block), below(self.edits, block), self.tokens

    @property
    def cost(self) -> int:
        """How many cached tokens it takes alone."""
        return row_cost(len(self.stream.tokens), len(self.tokens))


@dataclass(frozen=True, slots=True, eq=False)
class ReadTexts:
    """Texts of equal tokens under different edits, and the activations that predict each token."""

    texts: tuple[GivenText, ...]
    hidden: Float[Tensor, "text pos d_model"]


def read_texts(model: Model, texts: Sequence[GivenText], budget: int) -> Iterator[ReadTexts]:
    """Read texts in passes whose caches hold at most ``budget`` tokens, padding included.

    Texts of equal tokens come together as far as they share a pass; where a pass has a part of
    them only, the first of them is in each, for comparison.

    Raises:
        SondeError: a text does not fit the context or, with the first of its kind, the budget.
    """
    _check(model, texts, budget)
    for chunk in _chunks(model, texts, budget):
        hidden = _read(model, chunk)
        first = 0
        for _, group in groupby(chunk, key=lambda text: text.place):
            found = tuple(group)
            n_tokens = len(found[0].tokens)
            yield ReadTexts(found, hidden[first : first + len(found), :n_tokens])
            first += len(found)


def _chunks(model: Model, texts: Sequence[GivenText], budget: int) -> Iterator[list[GivenText]]:
    switch = model.rope_switch or 0

    def order(text: GivenText) -> tuple[bool, int, int, tuple[int, ...], tuple[int, ...]]:
        prompt = text.stream.tokens
        return len(prompt) <= switch, -len(prompt), -len(text.tokens), prompt, text.tokens

    chunk: list[GivenText] = []
    side, first = False, None
    for text in sorted(texts, key=order):  # stable: the first of a kind stays the first
        longer = len(text.stream.tokens) > switch
        if first is None or text.place != first.place:
            first = text
        if chunk and (longer != side or _cost([*chunk, text]) > budget):
            yield chunk
            chunk = [] if text is first else [first]
        chunk.append(text)
        side = longer
    if chunk:
        yield chunk


def _cost(texts: Sequence[GivenText]) -> int:
    """Return how many tokens the caches of a pass hold."""
    longest = max(len(text.stream.tokens) for text in texts)
    more = max(len(text.tokens) for text in texts) - 1
    streams = {text.stream.key() for text in texts}
    return len(texts) * (longest + more) + len(streams) * longest


def _read(model: Model, texts: Sequence[GivenText]) -> Float[Tensor, "text pos d_model"]:
    """Return the normed activations from which each token of each text is predicted.

    Texts are padded on the right, where no token before looks.
    """
    streams = {text.stream.key(): text.stream for text in texts}
    states = read_prompts(model, list(streams.values()))
    of_stream = {key: number for number, key in enumerate(streams)}
    own = [of_stream[text.stream.key()] for text in texts]
    before = states.hidden[torch.tensor(own).to(states.hidden.device)][:, None]
    n_read = max(len(text.tokens) for text in texts) - 1
    if n_read == 0:
        return before
    starts = {one.start for text in texts for one in (*text.stream.edits, *text.edits)}
    shared = sharing(starts, lambda row, start: texts[row].key(start), len(texts))
    cache = _laid_out(states, own, shared, n_read)
    rows = [texts[row] for row in shared.first.representatives]
    device, place = model.device, cache.length
    lengths = torch.tensor([[len(text.stream.tokens)] for text in rows])
    new = torch.arange(n_read)
    counts = torch.tensor([[len(text.tokens) - 1] for text in rows])
    real = torch.cat([torch.arange(place)[None] >= place - lengths, new[None] < counts], dim=1)
    reached = {
        one.key: torch.tensor([one.edit.scope.reaches_step(step) for step in range(n_read)])
        for text in texts
        for one in text.edits
    }
    scoped = scoped_edits(
        stack([text.edits for text in texts], device), shared, lambda _, one: reached[one.key]
    )
    with torch.no_grad(), parting(model, shared), hooked(model, Taps(scoped, {})):
        out = model.decoder(
            input_ids=_padded([text.tokens[:-1] for text in rows], n_read).to(device),
            attention_mask=real.to(device),
            position_ids=(lengths + new).to(device),
            past_key_values=cache,
            use_cache=True,
        )
    hidden = out.last_hidden_state
    if not shared.last.is_whole:
        hidden = hidden[shared.last.streams.to(hidden.device)]
    return torch.cat([before.to(hidden.device), hidden], dim=1)


def _laid_out(states: PromptStates, own: Sequence[int], shared: Sharing, n_read: int) -> RowCache:
    """Give each stream of the pass the cache of its prompt."""

    def pieces(block: int) -> list[Piece]:
        rows = shared.at(block).representatives
        return [states.piece(block, [own[row] for row in rows], torch.arange(len(rows)))]

    length = states.cache.length
    return assembled(
        pieces,
        len(states.cache.blocks),
        width=length + n_read,
        length=length,
        emptied=[states.cache],
    )


def _padded(texts: Sequence[Sequence[int]], width: int) -> Int[Tensor, "row pos"]:
    return torch.tensor([[*text, *[0] * (width - len(text))] for text in texts])


def _check(model: Model, texts: Sequence[GivenText], budget: int) -> None:
    switch = model.rope_switch
    for text in texts:
        prompt, length = len(text.stream.tokens), len(text.stream.tokens) + len(text.tokens)
        where = f"A prompt of {prompt} tokens with a text of {len(text.tokens)}"
        if length > model.info.context:
            raise SondeError(
                f"{where} is longer than the {model.info.context} that {model.info.name} reads.",
                fix="Shorten the texts.",
            )
        if switch is not None and prompt <= switch < length:
            raise SondeError(
                f"{where} crosses {switch} tokens, where {model.info.name} changes its rotary "
                "frequencies, which would make what is cached wrong.",
                fix="Shorten the text, or give a prompt on the other side.",
            )
        if 2 * text.cost > budget:
            raise SondeError(
                f"The token budget of {budget:,} does not hold {where[0].lower()}{where[1:]} under "
                "two edits.",
                fix=f"Raise token_budget to {2 * text.cost:,} or more.",
            )
