"""From a text to documents, and on which side each falls: training or held out."""

import hashlib
import re
from collections.abc import Iterator

_ENDS = (re.compile(r"\n\s*\n\s*"), re.compile(r"\n+"), re.compile(r"\s+"))


def passages(text: str, longest: int | None) -> Iterator[str]:
    """Split a text into pieces of at most ``longest`` characters; joined they are the text.

    A piece ends where the last paragraph ends that begins in its second half, or the last line,
    or the last word, or else in the middle of a word.
    """
    start = 0
    while longest is not None and len(text) - start > longest:
        end = _end(text, start, start + longest)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _end(text: str, start: int, limit: int) -> int:
    middle = start + (limit - start + 1) // 2
    for pattern in _ENDS:
        ends = [found.end() for found in pattern.finditer(text, middle, limit)]
        if ends:
            return ends[-1]
    return limit


def is_held_out(text: str, share: float) -> bool:
    """Say whether a text is held out: ``h(text) < share``, h a hash that is uniform in [0, 1).

    A function of the text alone, so that equal texts are on one side in every corpus.
    """
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64
