"""The turn of one stage: it is left out, its result is there already, or it runs."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sonde.core.progress import watching
from sonde.experiments.claims.sitting import Sitting
from sonde.experiments.engines.local import LocalEngine
from sonde.experiments.folder import Done, ResultFolder
from sonde.experiments.gates import judge_stage, parse_gate, stages_in
from sonde.experiments.keys import key_of, made_of
from sonde.experiments.metering import Metering
from sonde.experiments.recording import Recorder
from sonde.experiments.reports import StageReport
from sonde.experiments.spec import Planned, Specification
from sonde.experiments.stage import Context, Finished, Outcome
from sonde.ledger.records import DONE, REUSED, SKIPPED


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: the runs folder, the stages to redo, whom to tell."""

    out: Path = field(default_factory=lambda: Path("runs"))
    force: tuple[str, ...] = ()
    ledger: str | None = None  # a path or URL; None is the default of the runs folder
    say: Callable[[str], None] = print
    progress: bool = True


@dataclass(slots=True)
class Turns:
    """What the stages of one call of ``run`` share, and how each has its turn."""

    spec: Specification
    options: Options
    engine: LocalEngine
    claims: Sitting
    redone: set[Path] = field(default_factory=set[Path])  # forced folders, each redone once
    metering: Metering = field(default_factory=Metering)

    @property
    def root(self) -> Path:
        """The folder of the experiment."""
        return self.options.out.resolve() / self.spec.name

    def stage(
        self,
        name: str,
        planned: Planned,
        reports: Mapping[str, StageReport],
        recorder: Recorder,
    ) -> StageReport:
        """Let a stage of a variant have its turn, after the ``reports`` of those before it."""
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
        finished = Finished(task.name, stage, folder.path, key, done.summary, held=outcome.held)
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
            model=model_spec,
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
