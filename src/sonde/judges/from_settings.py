"""From a judge's settings to the judge; something new is one file and one line in ``MAKERS``."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sonde.core.errors import SondeError
from sonde.judges.cache import CachedJudge
from sonde.judges.coherence import CoherenceRules
from sonde.judges.judge import Aspect, Judge
from sonde.judges.rules import Rule, RuleJudge, read_rule
from sonde.judges.server import ServerJudge
from sonde.judges.settings import (
    JudgeSettings,
    LocalJudgeSettings,
    RuleJudgeSettings,
    ServerJudgeSettings,
)


def judge_of(
    settings: JudgeSettings,
    aspect: Aspect,
    *,
    rule: Rule | None = None,
    cache: Path | None = None,
) -> Judge:
    """Make a judge of settings; ``rule`` is the trait's own, ``cache`` the file of its opinions.

    Rules are not cached: they take no time. A local judge's model is loaded here.

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
    from sonde.models.loading import load

    return LocalJudge(
        load(settings.model),
        aspect,
        settings.rubric,
        settings.least_mass,
        settings.token_budget,
        settings.render,
    )


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


MAKERS: Mapping[type, Callable[[Any, Aspect, Rule | None], Judge]] = MappingProxyType(
    {
        ServerJudgeSettings: _server,
        LocalJudgeSettings: _local,
        RuleJudgeSettings: _rules,
    }
)
