"""Judges: how far answers show a trait or are coherent, by a server, a model, rules or a function.

One file a judge; what they share is the protocol in ``judge``.
"""

from sonde.judges.function import FunctionJudge
from sonde.judges.judge import Asked, Aspect, Judge, Opinion, StreamingJudge
from sonde.judges.rules import Pattern, Rule, RuleJudge, Words, read_rule, rule_of

__all__ = [
    "Asked",
    "Aspect",
    "FunctionJudge",
    "Judge",
    "Opinion",
    "Pattern",
    "Rule",
    "RuleJudge",
    "StreamingJudge",
    "Words",
    "read_rule",
    "rule_of",
]
