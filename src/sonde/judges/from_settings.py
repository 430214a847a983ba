"""From a judge's settings to the judge; something new is one file and one line in ``MAKERS``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from sonde.core.errors import SondeError
from sonde.core.files import canonical_json
from sonde.judges.cache import CachedJudge
from sonde.judges.coherence import CoherenceRules
from sonde.judges.judge import Aspect, Judge
from sonde.judges.rules import Rule, RuleJudge, read_rule
from sonde.judges.server import ServerJudge
from sonde.judges.settings import (
    JudgeSettings,
    LocalJudgeSettings,
    ProbeJudgeSettings,
    RuleJudgeSettings,
    ServerJudgeSettings,
)
from sonde.models.spec import ModelSpec, as_spec

if TYPE_CHECKING:
    from sonde.models.model import Model

_IN_USE: "WeakValueDictionary[str, Model]" = WeakValueDictionary()  # while a judge holds it


def judge_of(
    settings: JudgeSettings,
    aspect: Aspect,
    *,
    rule: Rule | None = None,
    cache: Path | None = None,
) -> Judge:
    """Make a judge of settings; ``rule`` is the trait's own, ``cache`` the file of its opinions.

    Rules are not cached: they take no time. A local judge's model is loaded here, once for all
    judges of it that are in use.

    Raises:
        SondeError: a rule is missing or not valid, or the model cannot be loaded.
    """
    judge = MAKERS[type(settings)](settings, aspect, rule)
    if cache is None or isinstance(settings, RuleJudgeSettings):
        return judge
    return CachedJudge(judge, cache)


def _server(settings: ServerJudgeSettings, aspect: Aspect, rule: Rule | None) -> Judge:
    return ServerJudge(settings, aspect)


def _local(settings: LocalJudgeSettings, aspect: Aspect, rule: Rule | None) -> Judge:
    from sonde.judges.local import LocalJudge

    return LocalJudge(
        _loaded(settings.model),
        aspect,
        settings.rubric,
        settings.least_mass,
        settings.token_budget,
        settings.render,
    )


def _loaded(named: ModelSpec | str) -> "Model":
    """Load a model, or return that of a judge which is still in use: trait and coherence share."""
    from sonde.models.loading import load

    name = canonical_json(as_spec(named, {}).model_dump(mode="json"))
    model = _IN_USE.get(name)
    if model is None:
        model = _IN_USE[name] = load(named)
    return model


def _rules(settings: RuleJudgeSettings, aspect: Aspect, rule: Rule | None) -> Judge:
    if aspect == "coherence":
        return CoherenceRules(settings.coherence)
    chosen = read_rule(settings.rule) if settings.rule else rule
    if chosen is None:
        raise SondeError(
            "Rules are to judge a trait that has none.",
            fix="Write rule.json in the trait's folder, name a file with rule:, or choose another "
            "kind of judge.",
        )
    return RuleJudge(chosen)


def _probe(settings: ProbeJudgeSettings, aspect: Aspect, rule: Rule | None) -> Judge:
    raise SondeError(
        f"A judge of kind probe reads the probe stage {settings.probe!r} of an experiment.",
        fix="Name it in a stage of the experiment's file, or give the probe itself to "
        "sonde.steering.probe_judge.",
    )


MAKERS: Mapping[type, Callable[[Any, Aspect, Rule | None], Judge]] = MappingProxyType(
    {
        ServerJudgeSettings: _server,
        LocalJudgeSettings: _local,
        RuleJudgeSettings: _rules,
        ProbeJudgeSettings: _probe,
    }
)
