"""What became of the rows of each round: how many were read, and why some are in no batch.

A round is a function of the seed and its number, and so are its counts. So they are kept round by
round: one that is made again, where training goes on or batches are taken a second time, counts
once. In a file they outlive the process, and are at the end what one run alone would have counted.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sonde.core.files import full_disk_named, write_text

KINDS = ("read", "separator", "sink", "non-finite", "kept", "left over", "repeated")


@dataclass(eq=False)
class RoundCounts:
    """The counts of the rounds that were made.

    Of a round ``read`` rows are ``kept``, or left out as ``separator``, ``sink`` or ``non-finite``;
    of those kept some are ``left over`` where the round gives fewer, and where it gives more some
    are ``repeated``.
    """

    rounds: dict[int, Counter[str]] = field(default_factory=dict[int, Counter[str]])
    _file: Path | None = None

    def add(self, number: int, counts: Mapping[str, int]) -> None:
        """Take the counts of a round, unless they are known.

        Raises:
            SondeError: the disk is full.
        """
        if number in self.rounds:
            return
        self.rounds[number] = Counter(counts)
        if self._file is not None:
            with full_disk_named(self._file), self._file.open("a", encoding="utf-8") as file:
                file.write(_line({"round": number, **_named(counts)}))

    def keep(self, file: Path, fingerprint: str) -> None:
        """Keep counts in a file from now on, and take up those of an earlier run of the same rows.

        ``fingerprint`` says which rows they are; a file of others is begun again.

        Raises:
            SondeError: the disk is full, or the file may not be written.
        """
        there = [*_read(file)]
        if there and there[0] == {"rows": fingerprint}:
            for one in there[1:]:
                self.rounds.setdefault(one.pop("round"), Counter(one))
        lines = [_line({"round": n, **_named(self.rounds[n])}) for n in sorted(self.rounds)]
        write_text(file, "".join([_line({"rows": fingerprint}), *lines]))
        self._file = file

    @property
    def total(self) -> Counter[str]:
        """The sums over all rounds that were made."""
        found: Counter[str] = Counter()
        for one in self.rounds.values():
            found.update(one)
        return found

    @property
    def unknown(self) -> int:
        """How many rounds before the last one have no counts."""
        return max(self.rounds, default=-1) + 1 - len(self.rounds)


def _named(counts: Mapping[str, int]) -> dict[str, int]:
    return {kind: counts.get(kind, 0) for kind in KINDS}


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":")) + "\n"


def _read(file: Path) -> list[dict[str, Any]]:
    """Return the lines of a file as far as they are whole: a kill may leave half of the last."""
    if not file.is_file():
        return []
    found: list[dict[str, Any]] = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found
