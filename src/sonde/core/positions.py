"""Positions: which tokens of an example are read, and how they become rows.

The grammar is ``<span>[<index or slice>].<pool>``; ``docs/reference/positions.md`` has examples.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from sonde.core.errors import SondeError, nearest


class Span(StrEnum):
    """A named stretch of a rendered example."""

    PROMPT = "prompt"  # everything before the response, template tokens included
    USER = "user"  # the user's own words (the last user turn)
    RESPONSE = "response"
    TURN = "turn"  # turn[k]: the content of message k
    EOT = "eot"  # the end-of-turn tokens
    ALL = "all"


class Pool(StrEnum):
    """How several tokens of one example become rows."""

    EACH = "each"  # one row a token
    MEAN = "mean"
    MAX = "max"  # per coordinate
    LAST = "last"


@dataclass(frozen=True, slots=True)
class TokenSpans:
    """Where the named stretches of one rendered example lie, as half-open token ranges.

    ``response`` is None where the example has none. ``turns`` holds the content of each message in
    order, ``eot`` the index of each end-of-turn token.
    """

    n_tokens: int
    prompt: tuple[int, int]
    user: tuple[int, int] | None
    response: tuple[int, int] | None
    turns: tuple[tuple[int, int], ...] = ()
    eot: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Position:
    """Which tokens of an example are read, and how they become rows."""

    span: Span
    turn: int | None = None  # for Span.TURN only
    index: int | None = None  # a single token, or
    start: int | None = None  # a slice; all None is the whole span
    stop: int | None = None
    pool: Pool = Pool.MEAN

    def __str__(self) -> str:
        text = str(self.span)
        if self.turn is not None:
            text += f"[{self.turn}]"
        if self.index is not None:
            return f"{text}[{self.index}]"
        if self.start is not None or self.stop is not None:
            text += f"[{_blank(self.start)}:{_blank(self.stop)}]"
        return f"{text}.{self.pool}"

    def tokens(self, spans: TokenSpans) -> range | tuple[int, ...]:
        """Return the token indices this position names, before pooling.

        Raises:
            SondeError: the example has no such stretch, or it is shorter than the position asks.
        """
        inside = self._stretch(spans)
        if self.index is not None:
            if not -len(inside) <= self.index < len(inside):
                raise SondeError(
                    f"position {self} lies outside the example: {self.span} has "
                    f"{len(inside)} tokens.",
                    fix="Choose a position that every example has, or leave the example out.",
                )
            return (inside[self.index],)
        chosen = inside[slice(self.start, self.stop)]
        if not chosen:
            raise SondeError(
                f"position {self} names no token: {self.span} has {len(inside)} tokens.",
                fix="Choose a position that every example has, or leave the example out.",
            )
        return (chosen[-1],) if self.pool is Pool.LAST else chosen

    def _stretch(self, spans: TokenSpans) -> range | tuple[int, ...]:
        if self.span is Span.ALL:
            return range(spans.n_tokens)
        if self.span is Span.EOT:
            return spans.eot
        if self.span is Span.TURN:
            assert self.turn is not None
            if not -len(spans.turns) <= self.turn < len(spans.turns):
                raise SondeError(
                    f"position {self} lies outside the example, which has "
                    f"{len(spans.turns)} turns.",
                    fix="Turns are counted from 0, the system message included.",
                )
            return range(*spans.turns[self.turn])
        found = {
            Span.PROMPT: spans.prompt,
            Span.USER: spans.user,
            Span.RESPONSE: spans.response,
        }[self.span]
        if found is None:
            raise SondeError(
                f"position {self} lies outside the example, which has no {self.span}.",
                fix="Give the example a response, or read a position of the prompt.",
            )
        return range(*found)


_GRAMMAR = re.compile(
    r"(?P<span>[a-z]+)(?P<first>\[[^\]]*\])?(?P<second>\[[^\]]*\])?(?:\.(?P<pool>[a-z]+))?"
)
_HELP = (
    "Write a span (prompt, user, response, turn[k], eot, all), an index or slice such as [-1] or "
    "[:5], and a pool (.mean, .last, .max, .each): prompt[-1], response[:5].mean, all.each."
)


def parse_position(text: str) -> Position:
    """Read a position such as ``prompt[-1]``, ``response[:5].mean`` or ``all.each``.

    Without a pool, ``all`` and ``eot`` keep each token and every other stretch is averaged.

    Raises:
        SondeError: the text does not follow the grammar.
    """
    match = _GRAMMAR.fullmatch(text.strip())
    if match is None:
        raise SondeError(f"{text!r} is not a position.", fix=_HELP)
    try:
        span = Span(match["span"])
    except ValueError:
        hint = nearest(match["span"], list(Span))
        raise SondeError(f"{text!r} is not a position.{hint}", fix=_HELP) from None
    brackets = [match["first"], match["second"]]
    turn = None
    if span is Span.TURN:
        turn = _integer(brackets.pop(0), text)
    elif brackets[1] is not None:
        raise SondeError(f"{text!r} is not a position: only a turn has two indices.", fix=_HELP)
    else:
        brackets.pop()
    index, start, stop = _bracket(brackets[0], text)
    if index is not None and match["pool"] is not None:
        raise SondeError(f"{text!r} pools a single token.", fix=f"Leave out .{match['pool']}.")
    return Position(span, turn, index, start, stop, _pool(match["pool"], span, index, text))


def _pool(name: str | None, span: Span, index: int | None, text: str) -> Pool:
    if name is None:
        keeps_each = index is None and span in (Span.ALL, Span.EOT)
        return Pool.EACH if keeps_each else Pool.MEAN
    try:
        return Pool(name)
    except ValueError:
        hint = nearest(name, list(Pool))
        raise SondeError(f"{text!r} has no pool named {name!r}.{hint}", fix=_HELP) from None


def _bracket(bracket: str | None, text: str) -> tuple[int | None, int | None, int | None]:
    if bracket is None:
        return None, None, None
    if ":" not in bracket:
        return _integer(bracket, text), None, None
    parts = bracket[1:-1].split(":")
    if len(parts) != 2:
        raise SondeError(f"{text!r} is not a position: a slice has a start and a stop.", fix=_HELP)
    start, stop = (_integer(f"[{part}]", text) if part.strip() else None for part in parts)
    return None, start, stop


def _integer(bracket: str | None, text: str) -> int:
    number = re.fullmatch(r"\[\s*(-?[0-9]+)\s*\]", bracket or "")
    if number is None:
        raise SondeError(f"{text!r} is not a position: an index is missing.", fix=_HELP)
    return int(number[1])


def _blank(number: int | None) -> str:
    return "" if number is None else str(number)
