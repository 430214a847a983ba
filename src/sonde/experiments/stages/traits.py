"""What stages that read a trait share: where it lies, and the judge that goes by its rule."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sonde.core.base import validated
from sonde.core.folders import cache_folder
from sonde.experiments.stage import resolved_path
from sonde.judges.settings import JudgeSettings, RuleJudgeSettings

if TYPE_CHECKING:
    from sonde.data.traits import Trait
    from sonde.judges.judge import Aspect, Judge

OPINIONS = "opinions.sqlite"  # in the cache folder: the same answer is never judged twice


def trait_at(trait: str, judge: JudgeSettings | None, base: Path) -> Mapping[str, Path]:
    """Return where a trait lies, beside the experiment file or with sonde, and its judge's rules.

    Raises:
        SondeError: there is no such trait.
    """
    from sonde.data.traits import trait_path

    beside = resolved_path(trait, base)
    found = {"trait": beside if beside.exists() else trait_path(trait)}
    if isinstance(judge, RuleJudgeSettings) and judge.rule:
        found["judge.rule"] = resolved_path(judge.rule, base)
    return found


def with_rule(judge: JudgeSettings, trait: "Trait", base: Path) -> JudgeSettings:
    """Return a judge whose rules are found from anywhere.

    Raises:
        SondeError: it goes by rules, and there are none or they are not valid.
    """
    if not isinstance(judge, RuleJudgeSettings):
        return judge
    if judge.rule:
        judge = judge.model_copy(update={"rule": str(resolved_path(judge.rule, base))})
    judge_made(judge, "trait", trait)  # rules are made at once, and are checked so
    return judge


def judge_made(judge: JudgeSettings, aspect: "Aspect", trait: "Trait") -> "Judge":
    """Make a judge; a local one's model is loaded.

    Raises:
        SondeError: a rule is missing or not valid, or the model cannot be loaded.
    """
    from sonde.judges.from_settings import judge_of
    from sonde.judges.rules import Rule

    rule = None
    if trait.rule is not None:
        rule = validated(Rule, dict(trait.rule), where=f"The rule.json of {trait.name}")
    return judge_of(judge, aspect, rule=rule, cache=cache_folder() / OPINIONS)
