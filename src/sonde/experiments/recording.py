"""Write what a run does into the ledger, as it does it."""

import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.experiments.folder import Done
from sonde.experiments.hardware import describe_machine, package_versions
from sonde.experiments.spec import Planned, Specification
from sonde.experiments.stage import Outcome, Stage
from sonde.ledger.records import (
    DONE,
    FAILED,
    INTERRUPTED,
    REUSED,
    SKIPPED,
    RunStart,
    StageEnd,
    StageStart,
)

if TYPE_CHECKING:
    from sonde.ledger.ledger import Ledger

EndStage = Callable[[Done, Outcome, float], None]


class Destination(Protocol):
    """Where the results and the ledger lie."""

    @property
    def out(self) -> Path:
        """The folder of all results."""
        ...

    @property
    def ledger(self) -> str | None:
        """A path or URL; None is the default of that folder."""
        ...


@dataclass(slots=True)
class Recorder:
    """Records one variant. A run in which nothing had to be done leaves no row."""

    spec: Specification
    planned: Planned
    root: Path
    options: Destination
    run: int | None = None
    _ledger: "Ledger | None" = None
    _waiting: list[tuple[StageStart, StageEnd]] = field(
        default_factory=list[tuple[StageStart, StageEnd]]
    )

    @contextmanager
    def run_recorded(self) -> Generator[None]:
        """Record how the run ends, whatever ends it."""
        began = time.perf_counter()
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
        start = StageStart(name, done.kind, done.key, str(folder), done.made_of)
        self._note(start, StageEnd(REUSED, outputs=done.files, summary=done.summary))

    def skipped(self, name: str, stage: Stage, reason: str) -> None:
        """Record a stage that did not run."""
        kind = str(stage.model_dump(include={"kind"})["kind"])
        self._note(StageStart(name, kind, "", ""), StageEnd(SKIPPED, reason=reason))

    @contextmanager
    def stage_recorded(
        self, name: str, content: Mapping[str, Any], key: str, folder: Path
    ) -> Generator[EndStage]:
        """Record a stage that runs, and how it ends; the block calls what it is given when done."""
        ledger, run = self._begin()
        start = StageStart(name, content["kind"], key, str(folder), content)
        number = ledger.begin_stage(run, start)

        def end(done: Done, outcome: Outcome, seconds: float) -> None:
            ledger.end_stage(
                number,
                StageEnd(DONE, "", seconds, done.files, done.summary, outcome.results),
            )

        try:
            yield end
        except KeyboardInterrupt:
            ledger.end_stage(number, StageEnd(INTERRUPTED, "stopped from the keyboard"))
            raise
        except BaseException as error:
            ledger.end_stage(number, StageEnd(FAILED, _words(error)))
            raise

    def _note(self, start: StageStart, end: StageEnd) -> None:
        """Record a stage that did no work: now, or once another stage makes this a run."""
        if self.run is None or self._ledger is None:
            self._waiting.append((start, end))
        else:
            self._ledger.end_stage(self._ledger.begin_stage(self.run, start), end)

    def _begin(self) -> "tuple[Ledger, int]":
        from sonde.ledger.ledger import Ledger, default_ledger

        if self._ledger is None or self.run is None:
            where = self.options.ledger or default_ledger(self.options.out)
            self._ledger = Ledger.open(where)
            self.run = self._ledger.begin_run(self._start())
            waiting, self._waiting = self._waiting, []
            for start, end in waiting:
                self._note(start, end)
        return self._ledger, self.run

    def _end(self, state: str, reason: str, began: float) -> None:
        if self._ledger is not None and self.run is not None:
            seconds = time.perf_counter() - began
            self._ledger.end_run(self.run, state, reason=reason, seconds=seconds)

    def _start(self) -> RunStart:
        experiment = self.planned.experiment
        resolved = experiment.model_dump(mode="json")
        commit, dirty = commit_of(self.spec.base)
        return RunStart(
            name=experiment.name,
            variant=self.planned.label,
            question=experiment.question,
            seed=experiment.seed,
            spec_path=str(self.spec.path),
            spec_text=self.spec.text,
            overrides=self.spec.overrides,
            resolved=resolved,
            spec_hash=fingerprint(resolved),
            folder=str(self.root),
            commit_hash=commit,
            dirty=dirty,
            versions=package_versions(),
            hardware=describe_machine(),
        )


def commit_of(folder: Path) -> tuple[str | None, bool | None]:
    """Return the git commit that a folder is at and whether it has changes; None outside git."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit.strip(), bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    return done.stdout


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, SondeError) else f"{type(error).__name__}: {error}"
