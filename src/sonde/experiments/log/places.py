"""Places for a reader's own remarks in a generated file, kept when the file is written again.

A place is a pair of HTML comments, each a line of its own, and what stands between them is kept
byte for byte::

    <!-- sonde:log:1 remarks setup 9f3c2a7158e01d44 -->
    The pod was replaced on Tuesday.
    <!-- sonde:log:1 end setup -->

The mark that opens a place holds hashes of the generated text before it, since the last place and
since the beginning. So a change outside the places is found rather than overwritten, a place that
was taken out is not missed, and a line in a remark that looks like a mark is told from the real
one. The number in the marks is the smallest that stands in no remark, so that such lines are plain
text from the next writing on.
"""

import hashlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sonde.experiments.log.markdown import escape

SIGN = "sonde:log:"
EMPTY = "\n"  # a line to write on
ORPHANS = "Remarks without a place"
MARK = re.compile(
    r"<!-- sonde:log:(?P<number>\d+) (?:(?P<kind>of|remarks|end) (?P<place>\S+)|(?P<over>over))"
    r"(?: (?P<seal>[0-9a-f]{16}))? -->\s*"
)


@dataclass(frozen=True, slots=True)
class Part:
    """Generated Markdown, and the name of the place for remarks after it (empty: none)."""

    text: str
    place: str = ""


def compose(owner: str, parts: Sequence[Part], remarks: Mapping[str, str]) -> str:
    """Return a file of generated parts, each followed by its place with the remarks that it had.

    Remarks whose place no longer exists come at the end, before the last part's place. Each remark
    ends with a line end, as ``remarks_in`` returns them.
    """
    number = 1
    texts = (*remarks.values(), *(part.text for part in parts))
    while any(f"{SIGN}{number} " in text for text in texts):
        number += 1
    pieces = [f"<!-- {SIGN}{number} of {_coded(owner)} -->\n"]
    since, whole = "", ""
    for part in (*parts[:-1], *_orphans(parts, remarks), parts[-1]):
        text = part.text.strip()
        since, whole = since + text, whole + text
        pieces.append(f"\n{text}\n")
        if part.place:
            place = _coded(part.place)
            inside = remarks.get(part.place) or EMPTY
            pieces.append(
                f"\n<!-- {SIGN}{number} remarks {place} {seal(since, whole)} -->\n"
                f"{inside}<!-- {SIGN}{number} end {place} -->\n"
            )
            since = ""
    return "".join(pieces) + f"\n<!-- {SIGN}{number} over {seal(since, whole)} -->\n"


def _orphans(parts: Sequence[Part], remarks: Mapping[str, str]) -> list[Part]:
    known = {part.place for part in parts}
    lost = [place for place, text in remarks.items() if place not in known and text.strip()]
    heads = [f"## {ORPHANS}\n\n"] + [""] * len(lost)
    return [
        Part(f"{head}What stood under “{escape(place)}”, which this log no longer has:", place)
        for head, place in zip(heads, lost, strict=False)
    ]


def seal(since: str, whole: str) -> str:
    """Return the hash of the text since the last place, and that since the beginning: 8 hex digits
    each, which change with any letter, but not with white space.
    """
    return _hash(since) + _hash(whole)


def _hash(text: str) -> str:
    bare = "".join(text.split()).encode("utf-8", "surrogateescape")
    return hashlib.sha256(bare).hexdigest()[:8]


def fits(since: str, whole: str, sealed: str) -> bool:
    """Whether generated text is as it was written, since the last place or since the beginning."""
    return _hash(since) == sealed[:8] or (bool(sealed) and _hash(whole) == sealed[8:])


def _coded(name: str) -> str:
    """Write a name as one word that can stand in an HTML comment."""
    plain = "".join(
        char if char.isprintable() and char not in " %<>" else f"%{ord(char):X};" for char in name
    )
    return plain.replace("--", "-%2D;") or "%;"


def decoded(name: str) -> str:
    """Read a name in a mark."""

    def letter(code: re.Match[str]) -> str:
        number = int(code[1], 16) if code[1] else -1
        return chr(number) if 0 <= number <= sys.maxunicode else ""

    return re.sub(r"%([0-9A-F]*);", letter, name)
