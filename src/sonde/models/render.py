"""From an example to token ids with exact spans: prompt, user's words, response, turns.

The prompt and what follows it are tokenised apart and joined, so the prompt's tokens never depend
on the response, and ``prompt[-1]`` is the token the model answers from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import Field

from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.core.files import canonical_json
from sonde.core.positions import TokenSpans
from sonde.data.examples import Example
from sonde.models.chat import CharSpan, ChatTemplate, Layout, Variable, template_variables
from sonde.models.tokenise import Knowledge, knowledge_of, tokenise

# Examples are tokenised this many at a time: large enough for the tokenizer's threads.
BATCH = 1024


class RenderSettings(Config):
    """How examples become text and tokens.

    ``template``: ``chat`` uses the tokenizer's chat template, ``none`` takes the text as it is, and
    ``auto`` is ``chat`` where there is a template and the example is not marked plain.
    ``too_long``: what to do with more tokens than the model's context. Truncation takes tokens out
    of the messages' own words (from the first words on, or from the last words back) and leaves
    the template's tokens standing, so that the model is still asked for an answer.
    ``variables`` are handed to the template, such as ``enable_thinking: false`` for Qwen 3.
    """

    template: Literal["auto", "chat", "none"] = "auto"
    too_long: Literal["error", "truncate_left", "truncate_right", "skip"] = "error"
    variables: dict[str, Variable] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """One example as tokens.

    ``ids`` is int32 ``[pos]``; ``offsets`` int32 ``[pos, 2]`` are half-open spans of characters in
    ``text`` (empty for a BOS that the text does not hold). ``truncated`` counts the tokens taken
    out to fit the context; ``text`` is from before.
    """

    text: str
    ids: np.ndarray
    offsets: np.ndarray
    spans: TokenSpans
    truncated: int = 0


@dataclass(frozen=True, slots=True)
class NotRendered:
    """An example that was left out, and why: ``reason`` is a short kind to count by."""

    example: str
    reason: str
    detail: str


def render(
    tokenizer: Any, example: Example, settings: RenderSettings | None = None, context: int = 0
) -> Rendered:
    """Render one example; ``context`` is the most tokens it may have, 0 for any number.

    Raises:
        SondeError: see ``render_all``; also where the example is too long and is to be skipped.
    """
    (found,) = render_all(tokenizer, (example,), settings, context)
    if isinstance(found, NotRendered):
        raise SondeError(found.detail, fix="Choose too_long: truncate_left or truncate_right.")
    return found


def render_all(
    tokenizer: Any,
    examples: Sequence[Example],
    settings: RenderSettings | None = None,
    context: int = 0,
) -> list[Rendered | NotRendered]:
    """Render examples in order, tokenised in batches; one result for each example.

    Raises:
        SondeError: a text is empty; the template is missing, refuses the messages or changes them;
            an example is too long and ``too_long`` is ``error``; the tokenizer cannot say which
            characters a token stands for. The message names the example's file and row.
    """
    return list(iter_rendered(tokenizer, examples, settings, context))


def iter_rendered(
    tokenizer: Any,
    examples: Sequence[Example],
    settings: RenderSettings | None = None,
    context: int = 0,
) -> Iterator[Rendered | NotRendered]:
    """Yield what ``render_all`` returns, holding a batch of examples at a time."""
    settings = settings or RenderSettings()
    knowledge = knowledge_of(tokenizer)
    template = _template(tokenizer, settings, knowledge)
    for first in range(0, len(examples), BATCH):
        batch = examples[first : first + BATCH]
        plain = [_is_plain(example, settings, template) for example in batch]
        layouts = [
            _lay_out_plain(example) if bare or template is None else template.lay_out(example)
            for example, bare in zip(batch, plain, strict=True)
        ]
        pieces = tokenise(tokenizer, layouts, knowledge)
        for example, bare, layout, piece in zip(batch, plain, layouts, pieces, strict=True):
            yield _fit(
                _assemble(layout, *piece, knowledge.prefix if bare else []),
                example,
                settings,
                context,
            )


def template_used(tokenizer: Any, examples: Sequence[Example], template: str) -> str:
    """Return what ``auto`` came to: ``chat``, ``none``, or ``chat and none`` for a mixture."""
    if template != "auto":
        return template
    if not tokenizer.chat_template:
        return "none"
    plain = {example.plain and isinstance(example.prompt, str) for example in examples}
    return " and ".join(word for word, bare in (("chat", False), ("none", True)) if bare in plain)


def _template(
    tokenizer: Any, settings: RenderSettings, knowledge: Knowledge
) -> ChatTemplate | None:
    source = tokenizer.chat_template
    if not source or settings.template == "none":
        return None
    variables = template_variables(str(source), settings.variables)
    shapes = knowledge.shapes.setdefault((str(source), canonical_json(dict(variables))), {})
    return ChatTemplate(tokenizer, variables, knowledge.special, shapes)


def _is_plain(example: Example, settings: RenderSettings, template: ChatTemplate | None) -> bool:
    turns = not isinstance(example.prompt, str)
    if settings.template == "chat" and template is None:
        raise SondeError(
            "template: chat was asked for, and the model's tokenizer has no chat template.",
            fix="Choose template: none, or an instruct model.",
        )
    if template is None and turns:
        why = (
            "template: none was chosen"
            if settings.template == "none"
            else "the model's tokenizer has no chat template"
        )
        raise SondeError(
            f"{example.where} has messages, and {why}.",
            fix="Give the prompt as one text, or use a chat template.",
        )
    return template is None or (settings.template == "auto" and example.plain and not turns)


def _lay_out_plain(example: Example) -> Layout:
    text, response = example.prompt, example.response
    assert isinstance(text, str)
    for name, given in (("the text", text), ("the response", response)):
        if given is not None and not given.strip():
            raise SondeError(f"{example.where}: {name} is empty.", fix="Leave the row out.")
    user = (0, len(text))
    if response is None:
        return Layout(text, "", user, None, (user,))
    answer = (len(text), len(text) + len(response))
    return Layout(text, response, user, answer, (user, answer))


def _assemble(
    layout: Layout, ids: np.ndarray, offsets: np.ndarray, prefix: Sequence[int]
) -> Rendered:
    # A plain text may hold its BOS already, as one that was rendered elsewhere does.
    if prefix and list(ids[: len(prefix)]) != list(prefix):
        ids = np.concatenate([np.asarray(prefix, np.int32), ids])
        offsets = np.concatenate([np.zeros((len(prefix), 2), np.int32), offsets])
    spans = TokenSpans(
        n_tokens=len(ids),
        prompt=(0, int(np.searchsorted(offsets[:, 0], len(layout.prompt), side="left"))),
        user=_tokens(layout.user, offsets) if layout.user else None,
        response=_tokens(layout.response, offsets) if layout.response else None,
        turns=tuple(_tokens(turn, offsets) for turn in layout.turns),
        eot=tuple(_tokens(end, offsets)[0] for end in layout.ends),
    )
    return Rendered(layout.prompt + layout.rest, ids, offsets, spans)


def _tokens(span: CharSpan, offsets: np.ndarray) -> tuple[int, int]:
    """Return the tokens that share a character with a span."""
    first = int(np.searchsorted(offsets[:, 1], span[0], side="right"))
    return first, max(first, int(np.searchsorted(offsets[:, 0], span[1], side="left")))


def _fit(
    rendered: Rendered, example: Example, settings: RenderSettings, context: int
) -> Rendered | NotRendered:
    excess = len(rendered.ids) - context
    if not context or excess <= 0:
        return rendered
    detail = (
        f"{example.where}: {len(rendered.ids):,} tokens are more than the model's context of "
        f"{context:,}."
    )
    if settings.too_long == "skip":
        return NotRendered(example.id, "too long", detail)
    if settings.too_long == "error":
        raise SondeError(
            detail, fix="Choose too_long: truncate_left, truncate_right or skip; each is counted."
        )
    turns = rendered.spans.turns
    if settings.too_long == "truncate_left":
        spare = [token for first, stop in turns for token in range(first, stop - 1)]
    else:
        spare = [token for first, stop in reversed(turns) for token in range(stop - 1, first, -1)]
    if len(spare) < excess:
        raise SondeError(
            f"{detail} Without the messages' words it still has "
            f"{len(rendered.ids) - len(spare):,}.",
            fix="Leave the row out, or choose too_long: skip.",
        )
    return _without(rendered, spare[:excess])


def _without(rendered: Rendered, dropped: Sequence[int]) -> Rendered:
    """Take tokens out, and move the spans to where their tokens now are."""
    keep = np.ones(len(rendered.ids), bool)
    keep[list(dropped)] = False
    place = np.concatenate([[0], np.cumsum(keep)])
    old = rendered.spans
    spans = TokenSpans(
        n_tokens=int(keep.sum()),
        prompt=_moved(old.prompt, place),
        user=_moved(old.user, place) if old.user else None,
        response=_moved(old.response, place) if old.response else None,
        turns=tuple(_moved(turn, place) for turn in old.turns),
        eot=tuple(int(place[token]) for token in old.eot),
    )
    return replace(
        rendered,
        ids=rendered.ids[keep],
        offsets=rendered.offsets[keep],
        spans=spans,
        truncated=len(dropped),
    )


def _moved(span: tuple[int, int], place: np.ndarray) -> tuple[int, int]:
    return int(place[span[0]]), int(place[span[1]])
