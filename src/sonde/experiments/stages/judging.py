"""The judges that a stage names: what they read of other stages, and how they are made."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from sonde.core.errors import SondeError
from sonde.experiments.identity import with_path
from sonde.experiments.stage import Context, Reference, Stage
from sonde.experiments.stages.named_probe import named_probe
from sonde.experiments.stages.traits import judge_made, with_rule
from sonde.judges.settings import JudgeSettings, LocalJudgeSettings, ProbeJudgeSettings
from sonde.models.spec import as_spec

if TYPE_CHECKING:
    from sonde.data.traits import Trait
    from sonde.judges.judge import Aspect, Judge

Named: TypeAlias = Mapping[str, JudgeSettings | None]  # by the setting, such as ``judge``


def judge_inputs(judges: Named) -> tuple[Reference, ...]:
    """Return the probe stages that judge."""
    return tuple(
        Reference(f"{setting}.probe", one.probe, ("probe",))
        for setting, one in judges.items()
        if isinstance(one, ProbeJudgeSettings)
    )


def judge_layers(judges: Named) -> Mapping[str, tuple[int, ...]]:
    """Return the blocks whose probes are named to judge, by their stage."""
    found: dict[str, tuple[int, ...]] = {}
    for one in judges.values():
        if isinstance(one, ProbeJudgeSettings) and one.at is not None:
            found[one.probe] = (*found.get(one.probe, ()), one.at)
    return found


def check_judges(judges: Named, stages: Mapping[str, Stage]) -> None:
    """Refuse probes that say no probability, as far as the settings of their stage show it.

    Raises:
        SondeError: one says none.
    """
    for setting, one in judges.items():
        if not isinstance(one, ProbeJudgeSettings):
            continue
        method = getattr(stages[one.probe], "method", None)
        if getattr(method, "says", "logit") != "logit":
            kind = getattr(method, "kind", "")
            raise SondeError(
                f"`{setting}` names {one.probe!r}, whose kind is {kind}: it says no probability of "
                "one class, so it cannot score from 0 to 100.",
                fix="Name a probe stage of two classes with a probability, such as logistic.",
            )


def judge_in(
    context: Context, setting: str, judge: JudgeSettings, aspect: "Aspect", trait: "Trait"
) -> "Judge":
    """Make a judge that a stage's ``setting`` names; a probe reads with the stage's model.

    Raises:
        SondeError: a rule is missing or not valid, a model cannot be loaded, or a probe does not
            fit the stage's model.
    """
    if not isinstance(judge, ProbeJudgeSettings):
        if isinstance(judge, LocalJudgeSettings):
            spec = with_path(as_spec(judge.model, {}), context.base)
            judge = judge.model_copy(update={"model": spec})
        checked = with_rule(judge, trait, context.base) if aspect == "trait" else judge
        return judge_made(checked, aspect, trait)
    from sonde.steering.judging_by_probe import probe_judge

    probe = named_probe(setting, judge.probe, judge.at, context.open(judge.probe))
    other = judge.allow_other_model
    return probe_judge(probe, context.load_model(), aspect=aspect, allow_other_model=other)
