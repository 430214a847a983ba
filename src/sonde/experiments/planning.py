"""What a run will do, need and cost, found without loading weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sonde.core.errors import SondeError
from sonde.experiments.facts import Facts
from sonde.experiments.folder import ResultFolder
from sonde.experiments.gates import judge_stage, parse_gate, stages_in
from sonde.experiments.hardware import Hardware
from sonde.experiments.keys import key_of, made_of
from sonde.experiments.sizes import Sizes, sizes_of
from sonde.experiments.spec import Planned, Specification
from sonde.experiments.stage import Estimate
from sonde.models.spec import ModelSpec

LOADED_A_SECOND = 5e8  # bytes of weights, from a disk that is not in the file cache
FIXED_SECONDS = 1.0  # of any stage: files are opened, tables written


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What one stage will do: ``run``, ``done``, ``skip``, ``gate`` (open or not is not known yet).

    ``note`` says why; ``problems`` are what stands in the way.
    """

    name: str
    kind: str
    does: str
    note: str = ""
    model: ModelSpec | None = None
    estimate: Estimate = field(default_factory=Estimate)
    seconds: float = 0.0
    problems: tuple[str, ...] = ()

    @property
    def works(self) -> bool:
        """Whether the stage will, or may, run."""
        return self.does in ("run", "gate")


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """The stages of one variant in the order in which they run, and the models they load."""

    label: str
    stages: tuple[StagePlan, ...]
    models: Mapping[str, Sizes]

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that stands in the way, once each."""
        return tuple(dict.fromkeys(text for stage in self.stages for text in stage.problems))


def plan(spec: Specification, out: Path, hardware: Hardware) -> tuple[VariantPlan, ...]:
    """Plan every variant. What an earlier variant does counts as done for a later one."""
    seen: set[Path] = set()
    root = out.resolve() / spec.name
    return tuple(_variant(planned, root, hardware, seen) for planned in spec.variants)


def _variant(planned: Planned, root: Path, hardware: Hardware, seen: set[Path]) -> VariantPlan:
    facts = Facts(planned, hardware.dtype)
    keys: dict[str, str] = {}
    plans: dict[str, StagePlan] = {}
    summaries: dict[str, Mapping[str, object]] = {}
    for name in planned.order:
        plans[name] = _stage(
            name, _Known(planned, root, facts, keys, plans, summaries, seen), hardware
        )
    models: dict[str, Sizes] = {}
    for stage in plans.values():
        if stage.works and stage.model is not None and stage.estimate.basis:
            models[stage.model.name] = sizes_of(stage.model, hardware.dtype)
    return VariantPlan(planned.label, tuple(plans.values()), models)


@dataclass(frozen=True, slots=True)
class _Known:
    """What planning has found out so far in a variant."""

    planned: Planned
    root: Path
    facts: Facts
    keys: dict[str, str]
    plans: dict[str, StagePlan]
    summaries: dict[str, Mapping[str, object]]
    seen: set[Path]  # folders that this run will make


def _stage(name: str, known: _Known, hardware: Hardware) -> StagePlan:
    stage = known.planned.experiment.stages[name]
    kind = str(stage.model_dump(include={"kind"})["kind"])
    does, note = _will_run(name, known)
    if does == "skip":
        return StagePlan(name, kind, does, note)
    problems = list(stage.problems(known.planned.base))
    model, estimate = None, Estimate()
    try:
        model = known.planned.model_of(name)
        found = _done(name, kind, known) if does == "run" and not problems else None
        if found is not None:
            return found
    except SondeError as error:
        problems.append(str(error))
    try:  # the cost is worth knowing where the weights are still missing
        estimate = stage.estimate(known.facts)
    except SondeError as error:
        problems.append(str(error))
    seconds = FIXED_SECONDS + estimate.seconds + hardware.seconds(estimate.flops, estimate.traffic)
    is_loaded = any(before.works and before.model == model for before in known.plans.values())
    if model is not None and not problems and not is_loaded:
        seconds += sizes_of(model, hardware.dtype).weights / LOADED_A_SECOND
    named = tuple(f"{name}: {problem}" for problem in dict.fromkeys(problems))
    return StagePlan(name, kind, does, note, model, estimate, seconds, named)


def _done(name: str, kind: str, known: _Known) -> StagePlan | None:
    """Return the plan of a stage whose result is there or will be; None if it has to be made."""
    stage = known.planned.experiment.stages[name]
    needed = (one.stage for one in stage.inputs() if not one.optional)
    if any(name not in known.keys for name in needed):
        return None  # an input cannot be made, so what this would be made of is not known
    key = key_of(made_of(stage, known.planned, name, known.keys))
    known.keys[name] = key
    folder = known.root / name / key
    done = ResultFolder(folder).done
    if done is not None:
        known.summaries[name] = done.summary
        return StagePlan(name, kind, "done", str(folder))
    if folder in known.seen:
        return StagePlan(name, kind, "done", "by an earlier variant of this run")
    known.seen.add(folder)
    return None


def _will_run(name: str, known: _Known) -> tuple[str, str]:
    """Return whether a stage runs, as far as is known, and why not or what decides."""
    stage = known.planned.experiment.stages[name]
    for reference in stage.inputs():
        if reference.optional:
            continue
        before = known.plans[reference.stage]
        if before.does == "skip":
            return "skip", f"because {reference.stage} is skipped"
        if before.does == "gate":
            return "gate", f"if {reference.stage} runs"
    if not stage.when:
        return "run", ""
    read = stages_in(parse_gate(stage.when))
    for other in read:
        if known.plans[other].does == "skip":
            return "skip", f"because {other} is skipped, which its gate reads"
    if all(other in known.summaries for other in read):
        verdict = judge_stage(name, stage.when, known.summaries)
        return ("run", verdict.why) if verdict.open else ("skip", f"because {verdict.why}")
    return "gate", f"if {stage.when}"
