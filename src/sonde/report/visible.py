"""Tokens made visible: white space and control characters as marks between which lines break."""

import unicodedata
from dataclasses import dataclass

SPACE, NEWLINE, RETURN, TAB = "·", "⏎", "␍", "⇥"
_MARKS = {"\n": NEWLINE, "\r": RETURN, "\t": TAB, "\u00a0": "⍽"}
# The joiners build emoji and Arabic or Indic letters, where a mark would do harm.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a token: its text, whether it stands for something unseen, and a line's end."""

    text: str
    mark: bool = False
    breaks: bool = False


def visible(token: str) -> tuple[Piece, ...]:
    """Split a token into plain text and marks.

    One space before a word stays an ordinary space, so that lines wrap as in the text itself. Every
    other space is ``·``, a newline ``⏎`` followed by a real line break, a tab ``⇥``; control and
    invisible characters show their code, so that nothing in a text can hide or turn it around.
    """
    if not token:
        return (Piece("∅", mark=True),)
    lead = token[0] == " " and len(token) > 1 and not token[1].isspace()
    pieces = [Piece(" ")] if lead else []
    plain = ""
    for character in token[1:] if lead else token:
        mark = _mark(character)
        if not mark:
            plain += character
            continue
        if plain:
            pieces.append(Piece(plain))
            plain = ""
        pieces.append(Piece(mark, mark=True, breaks=character == "\n"))
    if plain:
        pieces.append(Piece(plain))
    return tuple(pieces)


def _mark(character: str) -> str:
    if character == " ":
        return SPACE
    if character in _MARKS:
        return _MARKS[character]
    if character in _JOINERS:
        return ""
    category = unicodedata.category(character)
    if category in ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs"):
        return f"‹{ord(character):04x}›"
    return ""


def readable(text: str) -> str:
    """Return a text without lone surrogates, which no UTF-8 file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
