"""The ledger: every run, its stages, its results and its claims, in one database."""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from sonde.ledger import claims, details, listing, results, runs, stages, supersession
from sonde.ledger.database import connect, reading, writing
from sonde.ledger.lineage import numbering_of
from sonde.ledger.listing import Page
from sonde.ledger.records import (
    REUSED,
    ClaimStart,
    Registration,
    RunDetail,
    RunFilter,
    RunRow,
    RunStart,
    StageEnd,
    StageStart,
    Status,
    Verdict,
    VerdictRow,
)
from sonde.ledger.unit_scores import kept_units, read_units

if TYPE_CHECKING:
    from sonde.stats.scores import Scores

VARIABLE = "SONDE_LEDGER"
FILE = "ledger.sqlite"


def default_ledger(folder: Path) -> str:
    """Return ``$SONDE_LEDGER``, or the ledger in the folder of the results."""
    return os.environ.get(VARIABLE) or str(folder / FILE)


@dataclass(frozen=True, slots=True)
class Ledger:
    """A connection to a ledger. Every method is one transaction."""

    engine: Engine

    @classmethod
    def open(cls, where: str | Path, *, create: bool = True) -> "Ledger":
        """Open the ledger at a path or a database URL, bring its schema up to date.

        Raises:
            SondeError: it is not there and may not be created, or cannot be opened.
        """
        return cls(connect(str(where), create=create))

    # --- writing runs

    def begin_run(self, start: RunStart) -> int:
        """Record that a run has begun; return its number."""
        with writing(self.engine) as connection:
            return runs.begin_run(connection, start)

    def beat(self, run: int) -> None:
        """Record that the process of a run is still there; call it at least every few minutes.

        Raises:
            SondeError: there is no such run, or it has ended.
        """
        with writing(self.engine) as connection:
            runs.beat(connection, run)

    def end_run(
        self,
        run: int,
        state: str,
        *,
        reason: str = "",
        seconds: float = 0.0,
        cost: Mapping[str, Any] | None = None,
    ) -> None:
        """Record how a run ended, and what it cost.

        Raises:
            SondeError: there is no such run, it has ended already, or there is no such way to end.
        """
        with writing(self.engine) as connection:
            runs.end_run(connection, run, runs.Ending(state, reason, seconds, cost or {}))

    def resume_run(self, run: int) -> None:
        """Record that a run which was done goes on, for what waited for other runs.

        Raises:
            SondeError: there is no such run, it is not done, or another process began it.
        """
        with writing(self.engine) as connection:
            runs.resume_run(connection, run)

    def begin_stage(self, run: int, start: StageStart) -> int:
        """Record that a stage's turn has come; return its number."""
        with writing(self.engine) as connection:
            return stages.begin_stage(connection, run, start)

    def end_stage(self, stage: int, end: StageEnd) -> None:
        """Record how a stage ended, with its results and the scores of their units.

        The results of a reused stage are kept only if the ledger does not have them yet.

        Raises:
            SondeError: a file of units is missing, or a result has neither a score nor a reason.
        """
        if end.state == REUSED and end.results:
            with reading(self.engine) as connection:
                end = replace(end, results=()) if stages.is_known(connection, stage) else end
        files = read_units(end.folder, end.results)
        with writing(self.engine) as connection:
            stages.end_stage(connection, stage, end, files)

    def record_statuses(self, run: int, statuses: Sequence[Status]) -> None:
        """Record what a run's results are beside what was known.

        Raises:
            SondeError: a result is none of the run's, or a status does not exist.
        """
        with writing(self.engine) as connection:
            runs.known_run(connection, run)
            found = details.results_of(connection, run)
            results.insert_statuses(connection, run, found, statuses)

    def set_status(self, result: int, status: str, why: str) -> None:
        """Record by hand what a result is; it holds for every run that shows the result.

        Raises:
            SondeError: there is no such result or status.
        """
        with writing(self.engine) as connection:
            row = results.known_result(connection, result)
            given = Status("", row["name"], status, why)
            results.insert_status(connection, result, given, None)

    def supersede(self, old: int, new: int, why: str) -> None:
        """Record that a run replaces another, or makes up for one that gave no result.

        Raises:
            SondeError: a run is missing, the old one still runs, the new one is not done, no reason
                is given, or the two would replace each other.
        """
        with writing(self.engine) as connection:
            supersession.supersede(connection, old, new, why)

    # --- claims

    def register(self, starts: Sequence[ClaimStart]) -> tuple[Registration, ...]:
        """Register claims; one that stands as it was registered gives that registration back.

        Raises:
            SondeError: one belongs to a smoke run, which may make no claim.
        """
        with writing(self.engine) as connection:
            return claims.register(connection, starts)

    def registrations(self, experiment: str) -> tuple[Registration, ...]:
        """Return the claims of an experiment in the order in which they were registered."""
        with reading(self.engine) as connection:
            return claims.registrations(connection, experiment)

    def runs_with_results(
        self, keys: Collection[str], questions: Collection[str] = ()
    ) -> tuple[int, ...]:
        """Return the runs in which a stage has results under a key, or that answer a question.

        See ``sonde.ledger.questions`` for what a question is.
        """
        with reading(self.engine) as connection:
            return stages.runs_with_results(connection, keys, questions)

    def record_verdicts(self, run: int, verdicts: Sequence[Verdict]) -> None:
        """Record what a run says of registered claims.

        Raises:
            SondeError: it is a smoke run or none, a claim is not registered, or a verdict is none.
        """
        with writing(self.engine) as connection:
            claims.record_verdicts(connection, run, verdicts)

    def verdicts(
        self, experiment: str | None = None, run: int | None = None
    ) -> tuple[VerdictRow, ...]:
        """Return the verdicts on an experiment's claims, of a run, or all, oldest first."""
        with reading(self.engine) as connection:
            return claims.verdicts_where(connection, experiment=experiment, run=run)

    # --- reading

    def list(
        self,
        wanted: RunFilter | None = None,
        *,
        sort: str = "id",
        reverse: bool = False,
        limit: int | None = 50,
        offset: int = 0,
    ) -> tuple[RunRow, ...]:
        """Return runs in the order of ``sort``, perhaps only those that match.

        By ``id`` and ``started`` the newest comes first, by ``name`` A before Z, by ``seconds`` the
        longest, by ``value`` (of the first result) the highest; ``reverse`` turns the order round.
        Runs without the value that is sorted by come last.

        Raises:
            SondeError: the state, purpose or sort does not exist, or a time is none.
        """
        with reading(self.engine) as connection:
            page = Page(sort, reverse, limit, offset)
            return listing.list_runs(connection, wanted or RunFilter(), page)

    def show(self, run: int) -> RunDetail:
        """Return everything about one run.

        Raises:
            SondeError: there is no such run.
        """
        return self.details([run])[0]

    def details(self, numbers: Sequence[int]) -> tuple[RunDetail, ...]:
        """Return everything about some runs, in the order of their numbers.

        Raises:
            SondeError: there is no such run.
        """
        with reading(self.engine) as connection:
            return details.details_of(connection, numbers)

    def scores(self, result: int, part: str = "") -> "tuple[Scores, ...]":
        """Return the scores of each unit from which a result was computed.

        ``part`` names a control or a baseline of the result; one that averages several series gives
        as many scores. Units that are row numbers are named after their data too, so that those of
        two files are never taken for the same.

        Raises:
            SondeError: the result, the part or its scores are not there.
        """
        from sonde.ledger.units import read_scores, told_apart

        with reading(self.engine) as connection:
            row = results.known_result(connection, result)
            series = results.series_of(row, part)
            stage = stages.known_stage(connection, row["stage_id"])
            path = Path(stage["folder"]) / row["units"]
            source = kept_units(connection, row["units_hash"], path)
            numbering = numbering_of(stage["key"], stages.contents_of(connection, stage["run_id"]))
        found = (read_scores(source, one, row["metric"]) for one in series)
        return tuple(told_apart(one, numbering) for one in found)
