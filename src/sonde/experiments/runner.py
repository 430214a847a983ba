"""Run an experiment: what is done already is taken, the rest is run, everything is recorded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sonde.core.errors import SondeError, nearest
from sonde.core.files import write_json
from sonde.experiments.claims.sitting import Sitting
from sonde.experiments.claims.statuses import record_statuses
from sonde.experiments.engines.local import LocalEngine
from sonde.experiments.inputs import check_controls, check_files
from sonde.experiments.places import check_places, will_read
from sonde.experiments.recording import Recorder
from sonde.experiments.reports import VARIANTS, StageReport, VariantReport
from sonde.experiments.spec import Planned, Specification
from sonde.experiments.stage import Finished
from sonde.experiments.trackers import check_trackers
from sonde.experiments.turns import Options, Turns


def run(spec: Specification, options: Options | None = None) -> tuple[VariantReport, ...]:
    """Run every variant of an experiment; repeat nothing that is done.

    What all variants read is checked first. Claims are registered before the first stage runs, and
    judged when all variants have run. Where a variant fails, those that were done before it get
    their reports, without verdicts.

    Raises:
        SondeError: a stage to redo is unknown, a file is missing, a tracker is not installed, the
            user's prices cannot be read, a model has no such layer, or what a stage raises.
            Finished stages are kept.
    """
    chosen = options or Options()
    _check_force(spec, chosen.force)
    check_trackers(spec)
    check_files(spec)
    check_controls(spec)
    # The configuration of a model takes seconds to read: only where something will read the model.
    if will_read(spec, chosen.out.resolve() / spec.name, chosen.force):
        check_places(spec)
    claims = Sitting.opened(spec, chosen.out, chosen.ledger, chosen.say)
    turns = Turns(spec, chosen, LocalEngine(chosen.say), claims)
    try:
        reports = _variants(turns)
    finally:
        turns.engine.unload()
    write_json(turns.root / VARIANTS, [report.stored(turns.root) for report in reports])
    return reports


@dataclass(frozen=True, slots=True)
class _Pass:
    """One variant on its way: what its stages found so far, and what waits for the verdicts."""

    turns: Turns
    planned: Planned
    recorder: Recorder
    shows_claims: tuple[str, ...]
    reports: dict[str, StageReport] = field(default_factory=dict[str, StageReport])

    @classmethod
    def of(cls, planned: Planned, turns: Turns) -> "_Pass":
        recorder = Recorder(turns.spec, planned, turns.root, turns.options, turns.metering)
        return cls(turns, planned, recorder, planned.after_claims if turns.claims.docket else ())

    @property
    def finished(self) -> Mapping[str, Finished]:
        return {name: report.finished for name, report in self.reports.items()}

    def first(self) -> None:
        """Run everything that does not wait for the verdicts."""
        if self.planned.label:
            self.turns.options.say(f"[{self.planned.label}]")
        self._run(name for name in self.planned.order if name not in self.shows_claims)
        for name, report in self.reports.items():  # other variants need the memory
            self.reports[name] = replace(report, finished=report.finished.released())
        record_statuses(self.recorder, self.finished, self.turns.options.say)

    def last(self) -> None:
        """Run what shows the verdicts."""
        self._run(self.shows_claims)

    def reopened(self) -> None:
        """Run what shows the verdicts in the run that had ended."""
        if self.shows_claims:
            with self.recorder.run_recorded():
                self.last()

    def report(self, *, is_last: bool) -> VariantReport:
        label = self.planned.label
        in_file_order = tuple(self.reports[name] for name in self.planned.experiment.stages)
        claims = self.turns.claims.shown(label, across=is_last)
        return VariantReport(label, in_file_order, self.recorder.run, claims)

    def _run(self, names: Iterable[str]) -> None:
        for name in names:
            self.reports[name] = self.turns.stage(name, self.planned, self.reports, self.recorder)


def _variants(turns: Turns) -> tuple[VariantReport, ...]:
    """Run the stages of all variants, judge the claims, and run what shows them."""
    passes = [_Pass.of(planned, turns) for planned in turns.spec.variants]
    *before, last = passes
    ended: list[_Pass] = []
    try:
        for one in before:
            with one.recorder.run_recorded():
                one.first()
            ended.append(one)
        with last.recorder.run_recorded():
            last.first()
            turns.claims.judge(
                {one.planned.label: one.finished for one in passes},
                {one.planned.label: one.recorder for one in passes},
            )
            last.last()
    except Exception:
        _without_verdicts(ended, turns)
        raise
    for one in before:
        one.reopened()
    return tuple(one.report(is_last=one is last) for one in passes)


def _without_verdicts(ended: Sequence[_Pass], turns: Turns) -> None:
    """Give the variants that were done their reports, although another one failed."""
    if any(one.shows_claims for one in ended):
        turns.options.say("A variant failed: the others get their reports without its verdicts.")
    for one in ended:
        try:
            one.reopened()
        except SondeError as error:  # the failure that is on its way says more
            turns.options.say(f"[{one.planned.label}] has no report: {error}")


def _check_force(spec: Specification, force: Sequence[str]) -> None:
    known = spec.variants[0].experiment.stages
    for name in force:
        if name not in known:
            raise SondeError(
                f"--force {name!r} is not a stage.{nearest(name, known)}",
                fix=f"Stages are {', '.join(known)}.",
            )
