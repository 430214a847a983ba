"""What a run will do, need and cost, found without loading weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.core.errors import SondeError
from sonde.core.words import in_words
from sonde.experiments.claims.judged import concerning
from sonde.experiments.cost import Expected, Prices, load_prices
from sonde.experiments.estimating import Estimator
from sonde.experiments.folder import ResultFolder
from sonde.experiments.gates import judge_stage, parse_gate, stages_in
from sonde.experiments.hardware import Hardware
from sonde.experiments.inputs import control_problems
from sonde.experiments.keys import key_of, made_of
from sonde.experiments.places import claim_problems, layer_problems
from sonde.experiments.sizes import Sizes, sizes_of
from sonde.experiments.spec import Planned, Specification
from sonde.experiments.stage import Estimate, Finished
from sonde.models.spec import ModelSpec

if TYPE_CHECKING:
    from sonde.experiments.claims.judged import Judged


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What one stage will do: ``run``, ``done``, ``skip``, ``gate`` (open or not is not known yet).

    ``note`` says why; ``problems`` are what stands in the way. ``estimate`` is what the stage
    counted of its work, ``expected`` what that takes on the hardware.
    """

    name: str
    kind: str
    does: str
    note: str = ""
    model: ModelSpec | None = None
    estimate: Estimate = field(default_factory=Estimate)
    expected: Expected = field(default_factory=Expected)
    problems: tuple[str, ...] = ()

    @property
    def works(self) -> bool:
        """Whether the stage will, or may, run."""
        return self.does in ("run", "gate")


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """The stages of one variant in the order in which they run, and the models they load.

    ``claims`` are what stands in the way of claims, which the first variant has for all.
    """

    label: str
    stages: tuple[StagePlan, ...]
    models: Mapping[str, Sizes]
    claims: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that stands in the way, once each."""
        of_stages = (text for stage in self.stages for text in stage.problems)
        return tuple(dict.fromkeys((*of_stages, *self.claims)))


def plan(
    spec: Specification,
    out: Path,
    hardware: Hardware,
    prices: Prices | None = None,
    ledger: str | None = None,
) -> tuple[VariantPlan, ...]:
    """Plan every variant. What an earlier variant does counts as done for a later one.

    The ledger at a path or URL (None: the default of ``out``) says which claims were judged.

    Raises:
        SondeError: the user's file of prices cannot be read.
    """
    seen: set[Path] = set()
    root = out.resolve() / spec.name
    estimator = Estimator.of(spec.variants[0], hardware, prices or load_prices())
    known = [_Known(estimator.of_variant(planned), root, seen) for planned in spec.variants]
    for one in known:
        waiting = one.planned.after_claims if spec.claims else ()
        for name in one.planned.order:
            if name not in waiting:
                one.plans[name] = _stage(name, one)
    judged: tuple[Judged, ...] | None = ()
    if spec.claims:
        from sonde.ledger.ledger import default_ledger

        judged = _verdicts(spec, root, ledger or default_ledger(out), known)
    first, *others = (_variant(one, spec, judged) for one in known)
    problems = (*claim_problems(spec), *control_problems(spec))
    return (replace(first, claims=tuple(map(str, problems))), *others)


@dataclass(frozen=True, slots=True)
class _Known:
    """What planning has found out so far in a variant."""

    estimator: Estimator
    root: Path
    seen: set[Path]  # folders that this run will make
    keys: dict[str, str] = field(default_factory=dict[str, str])
    plans: dict[str, StagePlan] = field(default_factory=dict[str, StagePlan])
    summaries: dict[str, Mapping[str, object]] = field(
        default_factory=dict[str, Mapping[str, object]]
    )
    claims: list[Mapping[str, Any]] | None = field(default_factory=list[Mapping[str, Any]])

    @property
    def planned(self) -> Planned:
        """The variant."""
        return self.estimator.facts.planned


def _variant(
    known: _Known, spec: Specification, judged: "tuple[Judged, ...] | None"
) -> VariantPlan:
    """Plan what waits for the verdicts, and return the plan in the order of running."""
    label = known.planned.label
    shown = None if judged is None else concerning(judged, spec, label)
    after = replace(known, claims=shown and [one.as_json() for one in shown])
    for name in known.planned.order:
        if name not in known.plans:
            known.plans[name] = _stage(name, after)
    models: dict[str, Sizes] = {}
    for stage in known.plans.values():
        if stage.works and stage.model is not None and stage.expected.memory is not None:
            models[stage.model.name] = sizes_of(stage.model, known.estimator.hardware.dtype)
    return VariantPlan(known.planned.label, tuple(known.plans.values()), models)


def _verdicts(
    spec: Specification, root: Path, ledger: str, known: Sequence[_Known]
) -> "tuple[Judged, ...] | None":
    """Return the verdicts that a run would show, or None where it would judge first."""
    from sonde.experiments.claims.planned import settled_claims

    found: dict[str, dict[str, Finished]] = {}
    for one in known:
        stages = one.planned.experiment.stages
        found[one.planned.label] = {
            name: Finished(name, stages[name], Path(), one.keys.get(name, ""), {}, skipped)
            for name, planned in one.plans.items()
            if planned.does in ("done", "skip")
            for skipped in [planned.note if planned.does == "skip" else ""]
        }
    if any(one.works for variant in known for one in variant.plans.values()):
        return None
    return settled_claims(spec, root, ledger, found)


def _stage(name: str, known: _Known) -> StagePlan:
    stage = known.planned.experiment.stages[name]
    kind = str(stage.model_dump(include={"kind"})["kind"])
    problems: list[str] = []
    try:
        does, note = _will_run(name, known)
    except SondeError as error:  # a gate that reads what is not there
        does, note = "gate", f"if {stage.when}"
        problems.append(str(error))
    if does == "skip":
        return StagePlan(name, kind, does, note)
    problems += stage.problems(known.planned.base)
    problems += map(str, layer_problems(name, known.planned))
    model = None
    try:
        model = known.planned.model_of(name)
        found = _done(name, kind, known) if does == "run" and not problems else None
        if found is not None:
            return found
    except SondeError as error:
        problems.append(str(error))
    try:  # the cost is worth knowing where the weights are still missing
        estimate = stage.estimate(known.estimator.facts)
        if unread := _unread_tasks(known):
            from sonde.experiments.token_estimate import read_again, together

            estimate = together(estimate, read_again(name, unread, known.estimator.facts))
    except SondeError as error:
        # Without a model of its own it can still run: what its inputs lack is said of them.
        problems += [str(error)] if model is not None else []
        estimate = Estimate(unknown=error.what)
    is_loaded = any(before.works and before.model == model for before in known.plans.values())
    expected = known.estimator.expected(estimate, model, loads=not is_loaded)
    if blocked := _blocked(name, known):
        note = "; ".join(filter(None, (note, f"once {in_words(blocked)} can run")))
    named = tuple(f"{name}: {problem}" for problem in dict.fromkeys(problems))
    return StagePlan(name, kind, does, note, model, estimate, expected, named)


def _blocked(name: str, known: _Known) -> tuple[str, ...]:
    """Return the stages that cannot run, and that this one needs, if only by way of others."""
    found: dict[str, None] = {}
    for one in known.planned.experiment.stages[name].inputs():
        if not one.optional:
            stuck = bool(known.plans[one.stage].problems)
            found |= dict.fromkeys((one.stage,) if stuck else _blocked(one.stage, known))
    return tuple(found)


def _unread_tasks(known: _Known) -> set[str]:
    """Return the token tasks that are done, and whose rows no stage of the run has read yet."""
    stages = known.planned.experiment.stages
    done = {name for name, one in known.plans.items() if one.does == "done"}
    read = {
        reference.stage
        for name, one in known.plans.items()
        if one.works
        for reference in stages[name].inputs()
    }
    return {name for name in done - read if stages[name].stays_open}


def _done(name: str, kind: str, known: _Known) -> StagePlan | None:
    """Return the plan of a stage whose result is there or will be; None if it has to be made."""
    stage = known.planned.experiment.stages[name]
    needed = (one.stage for one in stage.inputs() if not one.optional)
    if any(name not in known.keys for name in needed):
        return None  # an input cannot be made, so what this would be made of is not known
    if stage.shows_claims and known.claims is None:
        return None  # the verdicts that it would show are not known yet
    key = key_of(made_of(stage, known.planned, name, known.keys, known.claims or ()))
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
