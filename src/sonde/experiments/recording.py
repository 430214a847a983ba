"""Write what a run does into the ledger, as it does it."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sonde.core.errors import SondeError
from sonde.core.progress import Step
from sonde.experiments.cost import Cost, Expected, total_cost, total_expected
from sonde.experiments.cost.heartbeat import Heartbeat
from sonde.experiments.cost.stopwatch import Stopwatch
from sonde.experiments.folder import Done
from sonde.experiments.metering import Metering
from sonde.experiments.run_start import run_start
from sonde.experiments.spec import Planned, Specification
from sonde.experiments.stage import Outcome, Stage
from sonde.experiments.stage_record import StageRecord
from sonde.experiments.trackers import Track, Tracking, facts_of
from sonde.ledger.records import (
    DONE,
    FAILED,
    INTERRUPTED,
    REUSED,
    SKIPPED,
    StageEnd,
    StageStart,
)

if TYPE_CHECKING:
    from sonde.ledger.ledger import Ledger
    from sonde.ledger.records import Status, Verdict

EndStage = Callable[[Done, Outcome, float], Cost]


class Destination(Protocol):
    """Where the results and the ledger lie, and whom to tell."""

    @property
    def out(self) -> Path:
        """The folder of all results."""
        ...

    @property
    def ledger(self) -> str | None:
        """A path or URL; None is the default of that folder."""
        ...

    @property
    def say(self) -> Callable[[str], None]:
        """Says one line to the user."""
        ...


@dataclass(slots=True)
class Recorder:
    """Records one variant. A run in which nothing had to be done leaves no row."""

    spec: Specification
    planned: Planned
    root: Path
    options: Destination
    metering: Metering = field(default_factory=Metering)
    run: int | None = None
    tracking: Tracking | None = None
    seconds: float = 0.0  # of the parts of the run that have ended
    _ledger: "Ledger | None" = None
    _waiting: list[tuple[StageStart, StageEnd]] = field(
        default_factory=list[tuple[StageStart, StageEnd]]
    )
    _records: list[StageRecord] = field(default_factory=list[StageRecord])
    _heartbeat: Heartbeat | None = None

    @contextmanager
    def run_recorded(self) -> Generator[None]:
        """Record how the run ends, whatever ends it. A run may go on in a second block."""
        began = time.perf_counter()
        if self.run is not None:
            self.opened().resume_run(self.run)
        try:
            yield
        except KeyboardInterrupt:
            self._end(INTERRUPTED, "stopped from the keyboard", began)
            raise
        except BaseException as error:
            self._end(FAILED, _words(error), began)
            raise
        self._end(DONE, "", began)

    def reused(self, name: str, stage: Stage, done: Done, folder: Path) -> None:
        """Record a stage whose result was there already."""
        from sonde.experiments.claims.evidence import measured_from

        start = StageStart(name, done.kind, done.key, str(folder), done.made_of)
        end = StageEnd(
            REUSED,
            outputs=done.files,
            summary=done.summary,
            # For a ledger that does not have them: another one, or the writer was killed.
            results=tuple(measured_from(stored) for stored in done.results),
            folder=folder,
        )
        self._note(start, end)

    def skipped(self, name: str, stage: Stage, reason: str) -> None:
        """Record a stage that did not run."""
        kind = str(stage.model_dump(include={"kind"})["kind"])
        self._note(StageStart(name, kind, "", ""), StageEnd(SKIPPED, reason=reason))

    @contextmanager
    def stage_recorded(
        self,
        name: str,
        content: Mapping[str, Any],
        key: str,
        folder: Path,
        expected: Expected | None = None,
    ) -> Generator[EndStage]:
        """Record a stage that runs, and how it ends; the block calls what it is given when done.

        What the stage took is measured meanwhile, and recorded beside what was expected.
        """
        ledger, run = self._begin()
        tracking = self._followed(run)
        planned = expected or Expected(unknown="It was not estimated.")
        start = StageStart(
            name, content["kind"], key, str(folder), content, planned=planned.to_json()
        )
        number, stopwatch = ledger.begin_stage(run, start), Stopwatch(self.metering.machine())
        record = StageRecord(ledger, number, name, folder, planned, stopwatch, tracking)
        self._records.append(record)
        try:
            with self._beating(ledger, run).sampling(stopwatch):
                yield record.done
        except KeyboardInterrupt:
            record.stopped(INTERRUPTED, "stopped from the keyboard")
            raise
        except BaseException as error:
            record.stopped(FAILED, _words(error))
            raise

    def track(self, stage: str) -> Track:
        """Return what a stage that runs calls to have its numbers followed."""
        assert self.tracking is not None
        return self.tracking.track(stage)

    def progress(self, stage: str) -> Callable[[Step], None]:
        """Return the watcher of a running stage's progress."""
        assert self.tracking is not None
        return self.tracking.progress(stage)

    def _followed(self, run: int) -> Tracking:
        """Return the run's trackers. A run that only records verdicts has nothing to follow."""
        if self.tracking is None:
            facts = facts_of(self.planned, run, self.root)
            self.tracking = Tracking(self.planned.experiment.track, facts, self.options.say)
        return self.tracking

    def _beating(self, ledger: "Ledger", run: int) -> Heartbeat:
        """Return the run's heartbeat, which beats from the first stage that does some work."""
        if self._heartbeat is None:
            self._heartbeat = Heartbeat(lambda: ledger.beat(run))
        return self._heartbeat

    def verdicts(self, verdicts: "Sequence[Verdict]") -> None:
        """Record verdicts on claims; where nothing had to be done so far, a run begins."""
        if verdicts:
            ledger, run = self._begin()
            ledger.record_verdicts(run, verdicts)

    def statuses(self, statuses: "Sequence[Status]") -> None:
        """Record what the run's results are beside what was known."""
        if statuses:
            ledger, run = self._begin()
            ledger.record_statuses(run, statuses)

    def opened(self) -> "Ledger":
        """Open the ledger, whether or not there is a run to record."""
        from sonde.ledger.ledger import Ledger, default_ledger

        if self._ledger is None:
            self._ledger = Ledger.open(self.options.ledger or default_ledger(self.options.out))
        return self._ledger

    def _note(self, start: StageStart, end: StageEnd) -> None:
        """Record a stage that did no work: now, or once another stage makes this a run."""
        if self.run is None or self._ledger is None:
            self._waiting.append((start, end))
        else:
            self._ledger.end_stage(self._ledger.begin_stage(self.run, start), end)

    def _begin(self) -> "tuple[Ledger, int]":
        ledger = self.opened()
        if self.run is None:
            self.run = ledger.begin_run(run_start(self.spec, self.planned, self.root))
            waiting, self._waiting = self._waiting, []
            for start, end in waiting:
                self._note(start, end)
        return ledger, self.run

    def _end(self, state: str, reason: str, began: float) -> None:
        if self._heartbeat is not None:
            self._heartbeat.stop()
            self._heartbeat = None
        if self._ledger is not None and self.run is not None:
            self.seconds += time.perf_counter() - began
            cost = self._cost()
            self._ledger.end_run(self.run, state, reason=reason, seconds=self.seconds, cost=cost)
            if self.tracking is not None:
                self.tracking.finish(state, self.seconds)

    def _cost(self) -> dict[str, Any]:
        """Return what the run took so far, with what was expected of the same stages."""
        ended = [(one.cost, one.expected) for one in self._records if one.cost is not None]
        total = total_cost((cost for cost, _ in ended), self.seconds)
        if total is None:
            return {}
        planned = total_expected(expected for _, expected in ended)
        return {**total.to_json(), "planned": planned.to_json()}


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, SondeError) else f"{type(error).__name__}: {error}"
