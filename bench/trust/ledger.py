"""The ledger: speed with 100,000 runs, writers at once, and writers that are killed.

A ledger of 100,000 runs is filled in bulk: each run has a stage, and each that is done has three
results whose scores of 360 units are kept. It is then opened anew for every question, as the
command line does, and each question is asked five times; the median counts, and of the several
orders that a filter is asked in, the slowest. PostgreSQL gets a copy of the same rows. The writers
are processes of their own, on SQLite and on a PostgreSQL server that waits for its disk. Killed is
a writer of whole runs, by SIGKILL, at another moment each time.
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

from sqlalchemy import func, select
from tests.postgresql import NoServer, postgresql

from bench.trust.figure import Figure
from bench.trust.large_ledger import NEEDLE, copy, fill
from sonde.ledger.compare import compare
from sonde.ledger.database import reading
from sonde.ledger.ledger import Ledger
from sonde.ledger.listing import SORTS
from sonde.ledger.records import RunFilter
from sonde.ledger.schema import run_details, run_texts

LIMIT = 0.2  # seconds
PROCESSES = 8

FILTERS = {
    "by a name": RunFilter(name="news-a-7"),
    "by a name with a star in front": RunFilter(name="*-a-7"),
    "by a name that none has": RunFilter(name="*nothing*"),
    "by the state done": RunFilter(state="done"),
    "by the state interrupted": RunFilter(state="interrupted"),
    "by the state superseded": RunFilter(state="superseded"),
    "by purpose": RunFilter(purpose="confirmatory"),
    "by model": RunFilter(model="*gemma*"),
    "by a month": RunFilter(since="2025-03-01", until="2025-03-31"),
    "by free text that all have": RunFilter(text="activations"),
    "by free text that one has": RunFilter(text=NEEDLE),
    "by free text that none has": RunFilter(text="nothing of the kind"),
    "by name, state, purpose, model, month and text": RunFilter(
        name="news-*",
        state="done",
        purpose="exploratory",
        model="*gemma*",
        text="activations",
        since="2025-01-01",
    ),
}


def measure(runs: int = 100_000, rows: int = 500, kills: int = 20, rounds: int = 5) -> list[Figure]:
    """Time questions, let processes append at once, and kill some."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        fill(path, runs)
        figures = _times(Stopwatch(str(path), f"{runs:,} runs in SQLite", rounds), runs)
        with _server() as server:
            section = f"{runs:,} runs in PostgreSQL"
            if server.missing:
                figures.append(_not_measured(Figure(section, "list", "", "", False), server))
            else:
                copy(path, where := server.fresh())
                figures += _times(Stopwatch(where, section, rounds), runs)
    for place in _places():
        figures += [_appended(place, rows), _killed(place, kills)]
    return figures


# --- speed

Question = Callable[[Ledger], object]


@dataclass(frozen=True)
class Stopwatch:
    """Times questions to a ledger."""

    where: str
    section: str
    rounds: int

    def figure(self, what: str, *questions: Question) -> Figure:
        """Return the slowest of some questions, each at its median."""
        took = max(median(self._seconds(one) for _ in range(self.rounds)) for one in questions)
        shown = f"{took * 1000:.0f} ms"
        return Figure(self.section, what, f"under {LIMIT:g} s", shown, took < LIMIT)

    def _seconds(self, question: Question) -> float:
        start = perf_counter()
        ledger = Ledger.open(self.where, create=False)
        question(ledger)
        took = perf_counter() - start
        ledger.engine.dispose()
        return took


def _times(watch: Stopwatch, runs: int) -> list[Figure]:
    late = runs // 10 * 9
    ledger = Ledger.open(watch.where)
    done = [run.id for run in ledger.list(RunFilter(state="done"), limit=2)]
    ledger.engine.dispose()
    compared = "compare two runs, with the differences of three results from their units"
    return [
        watch.figure("list the newest 50", lambda ledger: ledger.list()),
        watch.figure(f"list 50 from number {late:,} on", lambda ledger: ledger.list(offset=late)),
        *(
            watch.figure(f"sort by {sort}, both ways", *_orders(RunFilter(), sort))
            for sort in SORTS
        ),
        *(
            watch.figure(f"filter {what}, in every order", *_orders(wanted, *SORTS))
            for what, wanted in FILTERS.items()
        ),
        watch.figure("show a run", lambda ledger: ledger.show(done[0])),
        watch.figure(compared, lambda ledger: compare(ledger, *done)),
    ]


def _orders(wanted: RunFilter, *sorts: str) -> list[Question]:
    return [
        lambda ledger, sort=sort, reverse=reverse: ledger.list(wanted, sort=sort, reverse=reverse)
        for sort in sorts
        for reverse in (False, True)
    ]


# --- writers


@dataclass(frozen=True)
class Place:
    """A kind of database, and how to get an empty one."""

    name: str
    fresh: Callable[[], str]
    missing: str = ""  # why there is none


def _places() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(1_000_000))
        yield Place("SQLite", lambda: str(Path(folder) / f"{next(numbers)}.sqlite"))
    with _server() as place:
        yield place


@contextmanager
def _server() -> Iterator[Place]:
    try:
        with postgresql() as server:
            yield Place("PostgreSQL", server.new_schema)
    except NoServer as error:
        yield Place("PostgreSQL", str, str(error))


def _not_measured(blank: Figure, place: Place) -> Figure:
    return replace(blank, figure=f"not measured: {place.missing}")


def _writer(where: str, what: str, rows: int, processes: int) -> subprocess.Popen[str]:
    given = [where, what, str(rows), str(processes)]
    command = [sys.executable, "-m", "tests.ledger_writer", *given]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _appended(place: Place, rows: int) -> Figure:
    wanted = PROCESSES * rows
    what = f"{PROCESSES} processes append {rows} runs each"
    blank = Figure(f"Writers at once, {place.name}", what, f"{wanted:,} runs", "", False)
    if place.missing:
        return _not_measured(blank, place)
    where, start = place.fresh(), perf_counter()
    with _writer(where, "runs", rows, PROCESSES) as process:
        said = [int(line) for line in process.communicate()[0].split()]
    took = perf_counter() - start
    kept = {run.id for run in Ledger.open(where).list(limit=None)}
    met = process.returncode == 0 and len(kept) == len(set(said)) == wanted and kept == set(said)
    return replace(blank, figure=f"{len(kept):,} runs in {took:.1f} s", met=met)


def _killed(place: Place, kills: int) -> Figure:
    what = f"a writer is killed, {kills} times"
    target = "no committed run lost, none half there"
    blank = Figure(f"Writers killed, {place.name}", what, target, "", False)
    if place.missing:
        return _not_measured(blank, place)
    rng = random.Random(0)
    outcomes = [_kill(place.fresh(), rng.uniform(0.0, 0.3)) for _ in range(kills)]
    committed, lost, half = (sum(column) for column in zip(*outcomes, strict=True))
    figure = f"of {committed:,} committed runs {lost} lost, {half} half there"
    return replace(blank, figure=figure, met=committed > 0 and lost == half == 0)


def _kill(where: str, after: float) -> tuple[int, int, int]:
    """Kill a writer; return how many runs it had said are kept, and how many are lost or half."""
    with _writer(where, "whole", -1, 1) as process:
        assert process.stdout is not None
        said = [int(process.stdout.readline())]
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout.read().split("\n") if line]
    ledger = Ledger.open(where)
    found = {run.id: run.state for run in ledger.list(limit=None)}
    lost = [run for run in said if found.get(run) != "done"]
    half = [
        detail
        for detail in ledger.details(list(found))
        for stage in detail.stages
        if stage["state"] == "done" and len(detail.results) != 3
    ]
    with reading(ledger.engine) as connection:
        parts = [
            connection.execute(select(func.count()).select_from(table)).scalar() or 0
            for table in (run_details, run_texts)
        ]
    ledger.engine.dispose()
    return len(said), len(lost), len(half) + sum(len(found) - part for part in parts)
