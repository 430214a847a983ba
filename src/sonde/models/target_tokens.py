"""Which tokens a text stands for: " the" is one token of most vocabularies, " theorem" perhaps not.

A token is asked for by its text, as it stands behind other text. A tokenizer that would put a space
before a text that begins a line is asked with a line before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from heapq import nlargest
from typing import Any

from sonde.core.errors import SondeError
from sonde.data.token_tasks import Variant
from sonde.models.tokenise import knowledge_of

SHOWN = 5  # nearest tokens in an error message


@dataclass(frozen=True, slots=True)
class TargetTokens:
    """Token ids with the text of each; ``absent`` are variants that are no single token."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    absent: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(map(repr, self.texts[:3]))
        return shown if len(self.texts) <= 3 else f"{shown} and {len(self.texts) - 3} more"


def target_tokens(
    tokenizer: Any, texts: Sequence[str], variants: Sequence[Variant] = ()
) -> TargetTokens:
    """Return the tokens that texts stand for, each of which must be one token.

    With ``variants`` other forms of each text are targets too, as far as they are one token: of
    ``case`` lower case, capitalised and upper case, of ``space`` with and without the space before.

    Raises:
        SondeError: no text was given, one is empty, or one is not a single token; the message shows
            how it splits and which single tokens are nearest.
    """
    if not texts:
        raise SondeError("No target token was given.", fix='Write tokens: " the", or a list.')
    found: dict[int, str] = {}
    absent: list[str] = []
    for text in texts:
        ids = _ids(tokenizer, text) if text else []
        if len(ids) != 1:
            raise _not_one(tokenizer, text, ids)
        found.setdefault(ids[0], text)
    for text in texts:
        for form in _forms(text, variants):
            ids = _ids(tokenizer, form)
            if len(ids) == 1:
                found.setdefault(ids[0], form)
            elif form not in absent:
                absent.append(form)
    return TargetTokens(tuple(found), tuple(found.values()), tuple(absent))


def _ids(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of a text as it stands behind other text."""
    anchor = knowledge_of(tokenizer).anchor
    ids: list[int] = tokenizer(anchor + text, add_special_tokens=False)["input_ids"]
    if anchor:
        before: list[int] = tokenizer(anchor, add_special_tokens=False)["input_ids"]
        return ids[len(before) :]
    return ids


def _forms(text: str, variants: Sequence[Variant]) -> list[str]:
    """Return the other forms of a text."""
    word = text.removeprefix(" ")
    words = [word]
    if "case" in variants:
        words += [word.lower(), word.lower().capitalize(), word.upper()]
    spaces = ["", " "] if "space" in variants else [" " if text.startswith(" ") else ""]
    forms = (space + one for one in words for space in spaces if one)
    return [form for form in dict.fromkeys(forms) if form != text]


def _not_one(tokenizer: Any, text: str, ids: Sequence[int]) -> SondeError:
    if not text:
        return SondeError("A target token is empty.", fix='Write a text such as " the".')
    pieces = " + ".join(repr(tokenizer.decode([one])) for one in ids)
    near = ", ".join(map(repr, _nearest(tokenizer, text)))
    return SondeError(
        f"{text!r} is {len(ids)} tokens of this tokenizer, not one: {pieces}.",
        fix=f"Single tokens near it: {near}. A space before a word is usually part of its token.",
    )


def _nearest(tokenizer: Any, text: str) -> list[str]:
    """Return the single tokens most like a text: its other forms first, then by common letters."""
    forms = [text, *_forms(text, ("case", "space"))]
    single = [form for form in forms[1:] if len(_ids(tokenizer, form)) == 1]
    word = text.strip().lower()
    every: Iterable[str] = tokenizer.batch_decode([[one] for one in range(len(tokenizer))])
    alike = {one for one in every if one.strip() and one.strip().lower()[0] == word[:1]}
    close = nlargest(SHOWN, sorted(alike), key=lambda one: SequenceMatcher(None, text, one).ratio())
    return list(dict.fromkeys([*single, *close]))[:SHOWN] or ["none"]
