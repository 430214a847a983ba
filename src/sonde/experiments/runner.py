"""Run an experiment: what is done already is taken, the rest is run, everything is recorded."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.core.errors import SondeError, nearest
from sonde.core.files import write_json
from sonde.core.progress import watching
from sonde.experiments.claims.sitting import Sitting
from sonde.experiments.claims.statuses import record_statuses
from sonde.experiments.cost import Cost, Expected
from sonde.experiments.engines.local import LocalEngine
from sonde.experiments.folder import Done, ResultFolder
from sonde.experiments.gates import judge_stage, parse_gate, stages_in
from sonde.experiments.keys import key_of, made_of
from sonde.experiments.metering import Metering
from sonde.experiments.places import check_places
from sonde.experiments.recording import Recorder
from sonde.experiments.spec import Planned, Specification
from sonde.experiments.stage import Context, Finished, Outcome
from sonde.experiments.trackers import check_trackers
from sonde.ledger.records import DONE, REUSED, SKIPPED

if TYPE_CHECKING:
    from sonde.experiments.claims.judged import Judged

VARIANTS = "variants.json"


@dataclass(frozen=True, slots=True)
class StageReport:
    """How a stage of a variant ended: done, reused, or skipped with the reason.

    A stage that ran says what it took, and what it was expected to take.
    """

    name: str
    state: str
    finished: Finished
    seconds: float = 0.0
    cost: Cost | None = None
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class VariantReport:
    """The stages of one variant. ``run`` is its number in the ledger, None if nothing ran.

    ``claims`` are those judged on it; those judged across variants stand with the last.
    """

    label: str
    stages: tuple[StageReport, ...]
    run: int | None
    claims: "tuple[Judged, ...]" = ()

    @property
    def finished(self) -> Mapping[str, Finished]:
        """The stages by name."""
        return {report.name: report.finished for report in self.stages}


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: the runs folder, the stages to redo, whom to tell."""

    out: Path = field(default_factory=lambda: Path("runs"))
    force: tuple[str, ...] = ()
    ledger: str | None = None  # a path or URL; None is the default of the runs folder
    say: Callable[[str], None] = print
    progress: bool = True


def run(spec: Specification, options: Options | None = None) -> tuple[VariantReport, ...]:
    """Run every variant of an experiment; repeat nothing that is done.

    Claims are registered before the first stage runs, and judged when all variants have run.

    Raises:
        SondeError: a stage to redo is unknown, a tracker is not installed, the user's prices cannot
            be read, a model has no such layer, or what a stage raises. Finished stages are kept.
    """
    chosen = options or Options()
    _check_force(spec, chosen.force)
    check_trackers(spec)
    claims = Sitting.opened(spec, chosen.out, chosen.ledger, chosen.say)
    work = _Work(spec, chosen, LocalEngine(chosen.say), claims)
    try:
        reports = work.variants()
    finally:
        work.engine.unload()
    write_json(work.root / VARIANTS, [_stored(report, work.root) for report in reports])
    return reports


@dataclass(slots=True)
class _Work:
    """One call of ``run``: what its variants share."""

    spec: Specification
    options: Options
    engine: LocalEngine
    claims: Sitting
    redone: set[Path] = field(default_factory=set[Path])  # forced folders, each redone once
    metering: Metering = field(default_factory=Metering)
    places_checked: bool = False

    @property
    def root(self) -> Path:
        return self.options.out.resolve() / self.spec.name

    def variants(self) -> tuple[VariantReport, ...]:
        """Run the stages of all variants, judge the claims, and run what shows them."""
        passes = [_Pass.of(planned, self) for planned in self.spec.variants]
        *before, last = passes
        for one in before:
            with one.recorder.run_recorded():
                self._first(one)
        with last.recorder.run_recorded():
            self._first(last)
            self.claims.judge(
                {one.planned.label: one.finished for one in passes},
                {one.planned.label: one.recorder for one in passes},
            )
            self._run_stages(last, last.shows_claims)
        for one in before:
            if one.shows_claims:  # the same run goes on
                with one.recorder.run_recorded():
                    self._run_stages(one, one.shows_claims)
        return tuple(self._reported(one, is_last=one is last) for one in passes)

    def _first(self, one: "_Pass") -> None:
        """Run everything that does not wait for the verdicts."""
        if one.planned.label:
            self.options.say(f"[{one.planned.label}]")
        names = [name for name in one.planned.order if name not in one.shows_claims]
        self._run_stages(one, names)
        record_statuses(one.recorder, one.finished, self.options.say)

    def _run_stages(self, one: "_Pass", names: Iterable[str]) -> None:
        for name in names:
            one.reports[name] = self._stage(name, one.planned, one.reports, one.recorder)

    def _reported(self, one: "_Pass", *, is_last: bool) -> VariantReport:
        label = one.planned.label
        in_file_order = tuple(one.reports[name] for name in one.planned.experiment.stages)
        claims = self.claims.shown(label, across=is_last)
        return VariantReport(label, in_file_order, one.recorder.run, claims)

    def _stage(
        self,
        name: str,
        planned: Planned,
        reports: Mapping[str, StageReport],
        recorder: Recorder,
    ) -> StageReport:
        stage = planned.experiment.stages[name]
        reason = _reason_to_skip(name, planned, reports)
        if reason:
            self.options.say(f"{name}: skipped, {reason}")
            recorder.skipped(name, stage, reason)
            return StageReport(name, SKIPPED, Finished(name, stage, Path(), "", {}, reason))
        keys = {
            other: report.finished.key
            for other, report in reports.items()
            if not report.finished.skipped
        }
        claims = self.claims.shown(planned.label) if stage.shows_claims else ()
        content = made_of(stage, planned, name, keys, [one.as_json() for one in claims])
        key = key_of(content)
        folder = ResultFolder(self.root / name / key)
        with folder.locked(self.options.say):
            done = None if self._is_forced(name, folder) else folder.done
            if done is not None:
                recorder.reused(name, stage, done, folder.path)
                self.options.say(f"{name}: done already")
                finished = Finished(name, stage, folder.path, key, done.summary)
                return StageReport(name, REUSED, finished)
            task = _Task(name, planned, content, folder, reports)
            return self._execute(task, recorder)

    def _execute(self, task: "_Task", recorder: Recorder) -> StageReport:
        stage, folder = task.planned.experiment.stages[task.name], task.folder
        kind = task.content["kind"]
        model_spec = task.planned.model_of(task.name)
        if model_spec is not None and not self.places_checked:
            check_places(self.spec)
            self.places_checked = True
        self.options.say(f"{task.name}: {kind} …")
        expected = self.metering.expected(task.name, task.planned, self.engine)
        folder.begin(keep=stage.resumes and not self._is_forced(task.name, folder))
        self.redone.add(folder.path)
        began = time.perf_counter()
        key = key_of(task.content)
        with recorder.stage_recorded(task.name, task.content, key, folder.path, expected) as end:
            context = self._context(task, model_spec, recorder)
            outcome = self._watched(task, context, recorder)
            seconds = time.perf_counter() - began
            done = _finish(task, outcome, seconds)
            cost = end(done, outcome, seconds)
        self.options.say(f"{task.name}: done in {seconds:.1f} s")
        finished = Finished(task.name, stage, folder.path, key, done.summary)
        return StageReport(task.name, DONE, finished, seconds, cost, expected)

    def _watched(self, task: "_Task", context: Context, recorder: Recorder) -> Outcome:
        """Run a stage whose progress the trackers follow."""
        stage = task.planned.experiment.stages[task.name]
        with watching(recorder.progress(task.name)):
            return self.engine.run(stage, context, task.planned.model_of(task.name))

    def _context(self, task: "_Task", model_spec: Any, recorder: Recorder) -> Context:
        def load_model() -> Any:
            assert model_spec is not None
            return self.engine.load_model(model_spec)

        return Context(
            name=task.name,
            folder=task.folder.path,
            base=self.spec.base,
            seed=task.planned.experiment.seed,
            inputs={name: report.finished for name, report in task.reports.items()},
            load_model=load_model,
            say=self.options.say,
            experiment={
                "name": self.spec.name,
                "question": task.planned.experiment.question,
                "file": self.spec.path.name,
                "variant": task.planned.label,
            },
            claims=self.claims.shown(task.planned.label),
            progress=self.options.progress,
            track=recorder.track(task.name),
        )

    def _is_forced(self, name: str, folder: ResultFolder) -> bool:
        return name in self.options.force and folder.path not in self.redone


@dataclass(frozen=True, slots=True)
class _Pass:
    """One variant on its way: what its stages found so far, and what waits for the verdicts."""

    planned: Planned
    recorder: Recorder
    shows_claims: tuple[str, ...]
    reports: dict[str, StageReport] = field(default_factory=dict[str, StageReport])

    @classmethod
    def of(cls, planned: Planned, work: _Work) -> "_Pass":
        recorder = Recorder(work.spec, planned, work.root, work.options, work.metering)
        return cls(planned, recorder, planned.after_claims if work.claims.docket else ())

    @property
    def finished(self) -> Mapping[str, Finished]:
        return {name: report.finished for name, report in self.reports.items()}


@dataclass(frozen=True, slots=True)
class _Task:
    """A stage whose turn has come, with everything its key is made of."""

    name: str
    planned: Planned
    content: dict[str, Any]
    folder: ResultFolder
    reports: Mapping[str, StageReport]


def _finish(task: _Task, outcome: Outcome, seconds: float) -> Done:
    from sonde import __version__

    stage = task.planned.experiment.stages[task.name]
    marker = {
        "stage": task.name,
        "kind": task.content["kind"],
        "key": key_of(task.content),
        "version": stage.version,
        "made_of": task.content,
        "summary": dict(outcome.summary),
        "results": [asdict(result) for result in outcome.results],
        "sonde_version": __version__,
    }
    return task.folder.finish(
        marker, {"seconds": round(seconds, 3), "pid": os.getpid()}, store=stage.store
    )


def _reason_to_skip(name: str, planned: Planned, reports: Mapping[str, StageReport]) -> str:
    """Return why a stage does not run: its gate is closed, or an input was skipped."""
    stage = planned.experiment.stages[name]
    for reference in stage.inputs():
        if reports[reference.stage].finished.skipped and not reference.optional:
            return f"because {reference.stage} was skipped"
    if not stage.when:
        return ""
    for other in stages_in(parse_gate(stage.when)):
        if reports[other].finished.skipped:
            return f"because {other} was skipped, which its gate reads"
    summaries = {other: report.finished.summary for other, report in reports.items()}
    verdict = judge_stage(name, stage.when, summaries)
    return "" if verdict.open else f"because {verdict.why}"


def _check_force(spec: Specification, force: Sequence[str]) -> None:
    known = spec.variants[0].experiment.stages
    for name in force:
        if name not in known:
            raise SondeError(
                f"--force {name!r} is not a stage.{nearest(name, known)}",
                fix=f"Stages are {', '.join(known)}.",
            )


def _stored(report: VariantReport, root: Path) -> dict[str, Any]:
    return {
        "variant": report.label,
        "stages": {
            stage.name: str(stage.finished.folder.relative_to(root))
            for stage in report.stages
            if not stage.finished.skipped
        },
        "skipped": {
            stage.name: stage.finished.skipped for stage in report.stages if stage.finished.skipped
        },
    }
