"""Judges: how far answers show a trait or are coherent, by a server, a model, rules or a function.

One file a judge; what they share is the protocol in ``judge``.
"""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily

if TYPE_CHECKING:
    from sonde.judges.agreement import JudgeAgreement, judge_agreement, spearman, weighted_kappa
    from sonde.judges.cache import CachedJudge
    from sonde.judges.coherence import CoherenceRules, CoherenceRuleSettings
    from sonde.judges.from_settings import judge_of
    from sonde.judges.function import FunctionJudge
    from sonde.judges.judge import Asked, Aspect, Judge, Opinion, StreamingJudge
    from sonde.judges.local import LocalJudge
    from sonde.judges.rules import Pattern, Rule, RuleJudge, Words, read_rule, rule_of
    from sonde.judges.server import ServerJudge
    from sonde.judges.settings import (
        JudgeSettings,
        LocalJudgeSettings,
        ProbeJudgeSettings,
        RuleJudgeSettings,
        ServerJudgeSettings,
    )

__all__ = [
    "Asked",
    "Aspect",
    "CachedJudge",
    "CoherenceRuleSettings",
    "CoherenceRules",
    "FunctionJudge",
    "Judge",
    "JudgeAgreement",
    "JudgeSettings",
    "LocalJudge",
    "LocalJudgeSettings",
    "Opinion",
    "Pattern",
    "ProbeJudgeSettings",
    "Rule",
    "RuleJudge",
    "RuleJudgeSettings",
    "ServerJudge",
    "ServerJudgeSettings",
    "StreamingJudge",
    "Words",
    "judge_agreement",
    "judge_of",
    "read_rule",
    "rule_of",
    "spearman",
    "weighted_kappa",
]

# A name is imported when it is first used: a local judge needs torch, a server httpx.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "Asked": "judge",
        "Aspect": "judge",
        "CachedJudge": "cache",
        "CoherenceRuleSettings": "coherence",
        "CoherenceRules": "coherence",
        "FunctionJudge": "function",
        "Judge": "judge",
        "JudgeAgreement": "agreement",
        "JudgeSettings": "settings",
        "LocalJudge": "local",
        "LocalJudgeSettings": "settings",
        "ProbeJudgeSettings": "settings",
        "Opinion": "judge",
        "Pattern": "rules",
        "Rule": "rules",
        "RuleJudge": "rules",
        "RuleJudgeSettings": "settings",
        "ServerJudge": "server",
        "ServerJudgeSettings": "settings",
        "StreamingJudge": "judge",
        "Words": "rules",
        "judge_agreement": "agreement",
        "judge_of": "from_settings",
        "read_rule": "rules",
        "rule_of": "rules",
        "spearman": "agreement",
        "weighted_kappa": "agreement",
    },
)
