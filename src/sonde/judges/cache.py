"""Opinions kept by content: the same judge is never asked twice about the same answer.

One SQLite file, which several processes may use at once. An opinion is written when it comes, so a
run that is stopped half way has kept what it paid for.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, full_disk_named
from sonde.judges.judge import Asked, Aspect, Judge, Opinion, StreamingJudge
from sonde.judges.off_scale import Watched, tell_scored

PATIENCE = 60.0  # seconds to wait for another process's writing
AT_ONCE = 500  # keys in one query; SQLite allows 999 in old builds
_TABLE = """
CREATE TABLE IF NOT EXISTS opinion (
    key TEXT PRIMARY KEY, judge TEXT NOT NULL, aspect TEXT NOT NULL,
    score REAL, mass REAL, reason TEXT NOT NULL, cost REAL NOT NULL, tokens INTEGER NOT NULL
) WITHOUT ROWID
"""
_INSERT = "INSERT OR IGNORE INTO opinion VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class CachedJudge:
    """A judge whose opinions are kept in a file and read from it where they are known.

    What is read has no cost and no tokens. Opinions without a score are kept where the judge did
    answer (they have a mass); where it was refused or made no sense, it is asked again.
    """

    judge: Judge
    path: Path

    @property
    def name(self) -> str:
        """The judge's name."""
        return self.judge.name

    @property
    def aspect(self) -> Aspect:
        """What the judge scores."""
        return self.judge.aspect

    def key(self) -> Mapping[str, Any]:
        """Return the judge's key."""
        return self.judge.key()

    def has_scored(self) -> None:
        """Pass on to the judge that it has given scores before."""
        if isinstance(self.judge, Watched):
            self.judge.has_scored()

    def score(self, asked: Sequence[Asked]) -> list[Opinion]:
        """Return one opinion for each answer, in order.

        Raises:
            SondeError: as the judge; what it had judged before is kept.
        """
        found = dict(self.each(asked))
        return [found[number] for number in range(len(asked))]

    def each(self, asked: Sequence[Asked]) -> Iterator[tuple[int, Opinion]]:
        """Yield opinions with the numbers of their answers: those that are known first.

        Raises:
            SondeError: the file is damaged or cannot be written; else as the judge.
        """
        keys = self._keys(asked)
        known = self._read(keys)
        tell_scored(self.judge, known.values())
        new: dict[str, list[int]] = {}  # the same answer twice is asked about once
        for number, key in enumerate(keys):
            if key in known:
                yield number, known[key]
            else:
                new.setdefault(key, []).append(number)
        wanted = list(new)
        one_of_each = [asked[new[key][0]] for key in wanted]
        for opinions in _as_they_come(self.judge, one_of_each) if wanted else ():
            self._write({wanted[number]: opinion for number, opinion in opinions})
            for number, opinion in opinions:
                first, *copies = new[wanted[number]]
                yield first, opinion
                for copy in copies:
                    yield copy, Opinion(opinion.score, opinion.mass, opinion.reason)

    def _keys(self, asked: Sequence[Asked]) -> list[str]:
        judge = [dict(self.judge.key()), self.judge.aspect]
        return [_hash([judge, asdict(one)]) for one in asked]

    def _read(self, keys: Sequence[str]) -> dict[str, Opinion]:
        if not self.path.is_file():
            return {}
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Opinion] = {}
        with self._open() as database:
            for first in range(0, len(wanted), AT_ONCE):
                part = wanted[first : first + AT_ONCE]
                places = ", ".join("?" * len(part))
                rows = database.execute(
                    f"SELECT key, score, mass, reason FROM opinion WHERE key IN ({places})",  # noqa: S608
                    part,
                )
                found |= {key: Opinion(*values) for key, *values in rows}
        return found

    def _write(self, opinions: Mapping[str, Opinion]) -> None:
        """Keep opinions; where another process was faster, its opinion stays."""
        rows = [
            (key, self.name, self.aspect, *asdict(opinion).values())
            for key, opinion in opinions.items()
            if opinion.score is not None or opinion.mass is not None
        ]
        with self._open() as database, database:
            database.executemany(_INSERT, rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with full_disk_named(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.path, timeout=PATIENCE)) as database:
                database.execute(_TABLE)
                yield database
        except sqlite3.OperationalError as error:
            raise SondeError(
                f"The judges' cache {self.path} cannot be used: {error}.",
                fix="Check the folder's permissions and the disk's free space; finished opinions "
                "are kept.",
            ) from None
        except sqlite3.DatabaseError as error:
            raise SondeError(
                f"The judges' cache {self.path} is damaged: {error}.",
                fix="Delete it; the answers in it will be judged again.",
            ) from None


def _as_they_come(judge: Judge, asked: Sequence[Asked]) -> Iterator[list[tuple[int, Opinion]]]:
    if isinstance(judge, StreamingJudge):
        for opinion in judge.each(asked):
            yield [opinion]
    else:
        yield list(enumerate(judge.score(asked)))


def _hash(value: Any) -> str:
    # A text may hold half of a surrogate pair, which plain UTF-8 refuses.
    written = canonical_json(value).encode("utf-8", "surrogatepass")
    return hashlib.sha256(written).hexdigest()
