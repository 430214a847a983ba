"""Text to token ids with offsets, and what must be known about a tokenizer for that."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from re import Pattern
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from sonde.core.errors import SondeError
from sonde.models.chat import Layout, Shape, special_tokens


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What was learnt about a tokenizer.

    ``prefix`` are the ids it puts before a plain text (its BOS, or nothing). ``anchor`` is a text
    to tokenise a continuation behind, for tokenizers that would otherwise add a space before it.
    """

    prefix: list[int]
    anchor: str
    special: Pattern[str]
    shapes: dict[tuple[str, str], dict[tuple[tuple[str, ...], bool], Shape]] = field(
        default_factory=dict
    )


_KNOWN: WeakKeyDictionary[Any, Knowledge] = WeakKeyDictionary()


def knowledge_of(tokenizer: Any) -> Knowledge:
    """Learn about a tokenizer, once.

    Raises:
        SondeError: it cannot say which characters a token stands for.
    """
    found = _KNOWN.get(tokenizer)
    if found is not None:
        return found
    if not getattr(tokenizer, "is_fast", False):
        raise SondeError(
            f"The tokenizer {type(tokenizer).__name__} cannot say which characters a token stands "
            "for, so positions in the text are not known.",
            fix="Use a model folder with a tokenizer.json (a fast tokenizer).",
        )

    def ids(text: str, *, special: bool = False) -> list[int]:
        return tokenizer(text, add_special_tokens=special)["input_ids"]

    bare, full = ids("a"), ids("a", special=True)
    starts = [at for at in range(len(full)) if full[at : at + len(bare)] == bare]
    newline, behind = ids("\n"), ids("\na")
    splits = behind[: len(newline)] == newline
    anchor = "\n" if splits and behind[len(newline) :] != bare else ""
    known = Knowledge(full[: starts[0]] if starts else [], anchor, special_tokens(tokenizer))
    _KNOWN[tokenizer] = known
    return known


def tokenise(
    tokenizer: Any, layouts: Sequence[Layout], knowledge: Knowledge
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Tokenise every prompt and every rest in one call, and join them: ids and offsets."""
    anchor = knowledge.anchor
    rests = [anchor + layout.rest for layout in layouts if layout.rest]
    encoded = tokenizer(
        [layout.prompt for layout in layouts] + rests,
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        return_offsets_mapping=True,
        verbose=False,
    )
    ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
    following = iter(range(len(layouts), len(layouts) + len(rests)))
    joined: list[tuple[np.ndarray, np.ndarray]] = []
    for number, layout in enumerate(layouts):
        tokens = np.asarray(ids[number], np.int32)
        chars = np.asarray(offsets[number], np.int32).reshape(-1, 2)
        if layout.rest:
            after = next(following)
            rest = np.asarray(ids[after], np.int32)
            spans = np.asarray(offsets[after], np.int32).reshape(-1, 2)
            real = spans[:, 1] > len(anchor)
            shift = len(layout.prompt) - len(anchor)
            tokens = np.concatenate([tokens, rest[real]])
            chars = np.concatenate([chars, np.maximum(spans[real], len(anchor)) + shift])
        joined.append((tokens, chars))
    return joined
