"""Check whether every artifact still hashes to what was recorded of it.

A stage's outputs are files in its folder, whose hashes were recorded when it ended; a store of
activations has checksums of its own besides. The scores of units that the ledger keeps itself are
checked too. Where a run was made on another machine and its folder is not here, it is counted.
"""

import hashlib
import socket
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, select

from sonde.core.files import sha256_file
from sonde.core.progress import progress
from sonde.ledger.database import reading
from sonde.ledger.ledger import Ledger
from sonde.ledger.schema import results, runs, stages, unit_scores

CHANGED, MISSING, UNREADABLE = "changed", "missing", "unreadable"
MANIFEST = "manifest.json"  # of a store of activations


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not what was recorded, and the runs that recorded it."""

    what: str  # changed, missing or unreadable
    where: str
    runs: tuple[int, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found: problems, and how much it looked at or could not look at."""

    problems: tuple[Problem, ...]
    files: int  # hashed in the folders of stages
    units: int  # files of units in the ledger
    elsewhere: tuple[int, ...]  # runs of other machines whose folders are not here
    made_again: int  # records of files that a later run made again, so theirs are no more


@dataclass(slots=True)
class _Recorded:
    """What was recorded of a stage's folder: the newest hash of each file, and by which runs."""

    host: str
    files: dict[str, tuple[str, list[int]]] = field(
        default_factory=dict[str, tuple[str, list[int]]]
    )

    @property
    def runs(self) -> tuple[int, ...]:
        return tuple(sorted({run for _, some in self.files.values() for run in some}))


def audit(ledger: Ledger, only: Sequence[int] = (), *, show: bool = True) -> Audit:
    """Hash everything that the runs of a ledger left, or some of them; change nothing.

    Raises:
        SondeError: one of the runs is not there.
    """
    ledger.details(only)
    with reading(ledger.engine) as connection:
        folders, made_again = _recorded(connection, set(only))
        units = _units(connection, set(only))
        scores = list(_problems_of_units(connection, units))
    problems: list[Problem] = []
    elsewhere: set[int] = set()
    files = 0
    total = sum(len(one.files) for one in folders.values())
    with progress("hashing", total, unit="files", show=show) as advance:
        for folder, recorded in folders.items():
            if Path(folder).is_dir():
                files += len(recorded.files)
                problems += _problems_in(Path(folder), recorded, advance)
            elif recorded.host == socket.gethostname():
                count = f"{len(recorded.files)} files lay in it"
                problems.append(Problem(MISSING, folder, recorded.runs, count))
            else:
                elsewhere.update(recorded.runs)
    return Audit((*problems, *scores), files, len(units), tuple(sorted(elsewhere)), made_again)


def _recorded(connection: Connection, only: set[int]) -> tuple[dict[str, _Recorded], int]:
    """Return what is recorded of each folder, and how many records later runs made again.

    A later run that makes a stage again writes into the same folder, so only its hashes can hold.
    """
    query = (
        select(stages.c.folder, stages.c.outputs, runs.c.id, runs.c.process, runs.c.origin)
        .join(runs, runs.c.id == stages.c.run_id)
        .order_by(stages.c.id)
    )
    found: dict[str, _Recorded] = {}
    made_again = 0
    for row in connection.execute(query):
        # An imported run was made elsewhere, even where that is a folder of this machine.
        host = "" if row.origin else str(cast("Mapping[str, Any]", row.process).get("host", ""))
        for name, wanted in cast("Mapping[str, str]", row.outputs or {}).items():
            recorded = found.setdefault(row.folder, _Recorded(host))
            before, its_runs = recorded.files.get(name, (wanted, []))
            made_again += len(its_runs) if before != wanted else 0
            recorded.files[name] = (wanted, [*(its_runs if before == wanted else ()), row.id])
    if only:
        found = {folder: one for folder, one in found.items() if only & set(one.runs)}
    return found, made_again


def _problems_in(
    folder: Path, recorded: _Recorded, advance: Callable[[int], None]
) -> Iterator[Problem]:
    for name, (wanted, its_runs) in recorded.files.items():
        path = folder / name
        problem = _problem_with(path, wanted)
        advance(1)
        if problem:
            yield Problem(problem[0], str(path), tuple(its_runs), problem[1])
        elif path.name == MANIFEST:
            yield from _problems_of_store(path.parent, tuple(its_runs))


def _problem_with(path: Path, wanted: str) -> tuple[str, str] | None:
    try:
        found = sha256_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return MISSING, ""
    except OSError as error:
        return UNREADABLE, error.strerror or str(error)
    return None if found == wanted else (CHANGED, f"recorded {wanted[:12]}…, found {found[:12]}…")


def _problems_of_store(folder: Path, its_runs: tuple[int, ...]) -> Iterator[Problem]:
    from sonde.activations.verify import verify_store

    for problem in verify_store(folder):
        what = CHANGED if problem.file.exists() else MISSING
        yield Problem(what, str(problem.file), its_runs, problem.what)


def _problems_of_units(
    connection: Connection, units: Mapping[str, tuple[int, ...]]
) -> Iterator[Problem]:
    """Check the files of units in the ledger, each by the content that it unpacks to."""
    for name, its_runs in units.items():
        query = select(unit_scores.c.content).where(unit_scores.c.hash == name)
        content = connection.execute(query).scalar()
        if content is None:
            continue  # too large to be kept: a file of its stage, whose hash is checked there
        where = f"scores of units {name[:12]}… in the ledger"
        try:
            found = hashlib.sha256(zlib.decompress(content)).hexdigest()
        except zlib.error as error:
            yield Problem(UNREADABLE, where, its_runs, str(error))
            continue
        if found != name:
            yield Problem(CHANGED, where, its_runs)


def _units(connection: Connection, only: set[int]) -> dict[str, tuple[int, ...]]:
    """Return the runs whose results have scores of units, by the hash of these."""
    query = (
        select(results.c.units_hash, stages.c.run_id)
        .join(stages, stages.c.id == results.c.stage_id)
        .where(results.c.units_hash.is_not(None))
        .distinct()
        .order_by(stages.c.run_id)
    )
    found: dict[str, tuple[int, ...]] = {}
    for row in connection.execute(query):
        if not only or row.run_id in only:
            found[row.units_hash] = (*found.get(row.units_hash, ()), row.run_id)
    return found
