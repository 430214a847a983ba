"""Reading the remarks out of a log, so that nothing of them can be lost."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from sonde.core.errors import SondeError
from sonde.experiments.log.places import MARK, SIGN, decoded, fits

KEPT = "The file was left as it is. "


@dataclass(frozen=True, slots=True)
class _Mark:
    """A line that is, or looks like, a mark; ``start`` and ``stop`` are its span in the text."""

    kind: str
    place: str
    seal: str
    line: int
    start: int
    stop: int


def owner_of(text: str) -> str | None:
    """Return the name in a file's first line; None where it was not written by ``compose``."""
    first = MARK.fullmatch(text.removeprefix("\ufeff").split("\n", 1)[0])
    return decoded(first["place"]) if first and first["kind"] == "of" else None


def remarks_in(text: str, *, where: str) -> dict[str, str]:
    """Return the remarks in a file that ``compose`` wrote, by place; ``where`` names the file.

    Raises:
        SondeError: a mark is missing, was altered or stands twice, or the generated text was
            changed outside the places: what would be lost is named with its lines.
    """
    first = MARK.fullmatch(text.removeprefix("\ufeff").split("\n", 1)[0])
    if first is None or first["kind"] != "of":
        raise SondeError(
            f"{where} is not a log that sonde wrote: its first line is not its mark.",
            fix=f"{KEPT}Write to another file with --to, or move this one away.",
        )
    marks = _marks(text, first["number"])
    found = _Search(text, marks).some() or _Search(text, marks, gaps=True).some()
    if not found:
        raise SondeError(
            f"{where}: {_what_is_wrong(text, marks)}",
            fix=f"{KEPT}Mend that, or move the file away and copy your remarks into a new one.",
        )
    if len(found) > 1:
        twice = next(name for name, inside in found[0].items() if found[1].get(name) != inside)
        raise SondeError(
            f"{where}: the marks of this log stand in it more than once, so it is not clear where "
            f"the remarks on {twice!r} end.",
            fix=f"{KEPT}Change a letter in the marks that were copied.",
        )
    return found[0]


def _marks(text: str, number: str) -> list[_Mark]:
    """Return the lines after the first that look like marks with the number of this file."""
    found: list[_Mark] = []
    at = 0
    for line, content in enumerate(text.split("\n"), 1):
        stop = min(at + len(content) + 1, len(text))
        match = MARK.fullmatch(content) if SIGN in content else None
        if line > 1 and match and match["number"] == number:
            kind, place = match["kind"] or "over", decoded(match["place"] or "")
            found.append(_Mark(kind, place, match["seal"] or "", line, at, stop))
        at = stop
    return found


@dataclass(slots=True)
class _Search:
    """The ways to read a file so that every generated text has its hash, to its very end.

    With ``gaps`` generated text may have been taken out: nothing of it can be lost.
    """

    text: str
    marks: list[_Mark]
    gaps: bool = False
    dead: set[tuple[int, str, frozenset[str]]] = field(
        default_factory=set[tuple[int, str, frozenset[str]]]
    )

    def some(self) -> list[dict[str, str]]:
        """Return the remarks by place, in two ways where there are several."""
        return list(islice(self._from(self.text.find("\n") + 1, 0, "", {}), 2))

    def _from(
        self, at: int, first: int, before: str, read: dict[str, str]
    ) -> Generator[dict[str, str]]:
        """Go on behind a place, at character ``at`` and mark ``first``.

        ``before`` is the generated text so far, ``read`` the remarks so far.
        """
        state = first, before, frozenset(read)
        alive = False
        for number in range(first, len(self.marks) if state not in self.dead else 0):
            mark = self.marks[number]
            since = self.text[at : mark.start]
            gap = self.gaps and not since.strip()
            if not gap and not fits(since, before + since, mark.seal):
                continue
            if mark.kind == "over" and not self.text[mark.stop :].strip():
                alive = True
                yield read
            for later, end in self._ends(number, read):
                inside = {mark.place: self.text[mark.stop : end.start]}
                for reading in self._from(end.stop, later + 1, before + since, read | inside):
                    alive = True
                    yield reading
        if not alive:
            self.dead.add(state)

    def _ends(self, number: int, read: Mapping[str, str]) -> list[tuple[int, _Mark]]:
        """Return the marks that may end the place that a mark opens; none if it opens none."""
        mark = self.marks[number]
        if mark.kind != "remarks" or mark.place in read:
            return []
        return [
            (later, end)
            for later, end in enumerate(self.marks[number + 1 :], number + 1)
            if (end.kind, end.place) == ("end", mark.place)
        ]


def _what_is_wrong(text: str, marks: Sequence[_Mark]) -> str:
    """Find the first thing that keeps a file from being read, and say it with its line."""
    at, line, before, seen = text.find("\n") + 1, 2, "", set[str]()
    walk = iter(marks)
    for mark in walk:
        since = text[at : mark.start]
        if mark.kind == "end":
            return f"the remarks on {mark.place!r} end in line {mark.line} and do not begin."
        if since.strip() and not fits(since, before + since, mark.seal):
            return (
                f"lines {line} to {mark.line - 1} are written by sonde, and were changed by hand. "
                "Move your own words to a place for remarks and delete those lines: they are "
                "written anew."
            )
        if mark.kind == "over":
            rest = text.count("\n", 0, mark.stop) + 1
            return f"there is text after the log's last mark, from line {rest} on."
        if mark.place in seen:
            return f"the remarks on {mark.place!r} begin a second time in line {mark.line}."
        seen.add(mark.place)
        end = next((one for one in walk if (one.kind, one.place) == ("end", mark.place)), None)
        if end is None:
            return f"the remarks on {mark.place!r} begin in line {mark.line} and do not end."
        at, line, before = end.stop, end.line + 1, before + since
    return "its last mark is missing: the end of the log was cut off or changed."
