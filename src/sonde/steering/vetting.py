"""Vetting of responses: which of them show the side that they were written for, and which not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.data.scenarios import Scenario
from sonde.data.traits import Trait
from sonde.judges.coherence import form_of
from sonde.judges.judge import Asked, Judge
from sonde.judges.rules import RuleJudge, rule_of

EMPTY, SHORT, REPEATED = "empty", "too short", "repeated"
SAME, BOTH = "same text twice", "same text on both sides"
WRONG, UNJUDGED = "wrong side", "not judged"
MIDDLE = 50.0  # of a judge's scale


@dataclass(frozen=True, slots=True)
class Written:
    """A response before it is vetted; ``n_tokens`` is its length as the model reads it."""

    example: Example
    scenario: Scenario
    n_tokens: int

    @property
    def text(self) -> str:
        """The response."""
        return self.example.response or ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A response that did not pass: its reason is a short kind to count by."""

    id: str
    side: str
    reason: str
    text: str
    score: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Vetted:
    """What passed, each with its score (None where nobody judged), and what did not."""

    kept: tuple[tuple[Written, float | None], ...]
    left_out: tuple[LeftOut, ...]


def judge_of_trait(trait: Trait) -> Judge | None:
    """Return the judge by a trait's own ``rule.json``; none where it has none.

    Raises:
        SondeError: the rule is not valid.
    """
    if trait.rule is None:
        return None
    return RuleJudge(rule_of(trait.rule, where=f"the rule of the trait {trait.name}"))


def threshold_of(judge: Judge | None) -> float:
    """Return the score from which an answer shows the trait: a rule's own, else the middle."""
    return judge.rule.threshold if isinstance(judge, RuleJudge) else MIDDLE


def vet(
    written: Sequence[Written],
    trait: Trait,
    judge: Judge | None,
    *,
    threshold: float,
    shortest: int,
    least_distinct: float,
) -> Vetted:
    """Vet responses by form, then by a judge: positive ones score at least ``threshold``.

    Negative ones score below it. Responses of fewer than ``shortest`` tokens, or whose share of
    different word trigrams is below ``least_distinct``, are left out before anybody judges. Of what
    is left, a text that stands on both sides is left out on both.

    Raises:
        SondeError: the judge scores something else than a trait, or gives too few opinions.
    """
    left_out: list[LeftOut] = []
    formed: list[Written] = []
    seen: set[tuple[str, str]] = set()  # a scenario that was answered twice alike counts once
    for one in written:
        reason = _form(one, shortest, least_distinct)
        same = (one.scenario.id, one.text)
        if not reason and same in seen:
            reason = SAME
        seen.add(same)
        if reason:
            left_out.append(_left(one, reason))
        else:
            formed.append(one)
    scored = _scored(formed, trait, judge, threshold)
    left_out += [out for _, _, out in scored if out is not None]
    passed = [(one, score) for one, score, out in scored if out is None]
    sides: dict[str, set[str]] = {}
    for one, _ in passed:
        sides.setdefault(one.text, set()).add(one.scenario.side)
    left_out += [_left(one, BOTH, score) for one, score in passed if len(sides[one.text]) > 1]
    kept = tuple((one, score) for one, score in passed if len(sides[one.text]) == 1)
    return Vetted(kept, tuple(left_out))


def _form(one: Written, shortest: int, least_distinct: float) -> str:
    if not one.text.strip():
        return EMPTY
    if one.n_tokens < shortest:
        return SHORT
    distinct = form_of(one.text).distinct
    return REPEATED if distinct is not None and distinct < least_distinct else ""


def _scored(
    written: Sequence[Written], trait: Trait, judge: Judge | None, threshold: float
) -> list[tuple[Written, float | None, LeftOut | None]]:
    if judge is None or not written:
        return [(one, None, None) for one in written]
    if judge.aspect != "trait":
        raise SondeError(
            f"The judge {judge.name} scores {judge.aspect}, and responses are vetted for a trait.",
            fix="Give a judge of the trait.",
        )
    asked = [Asked(one.scenario.prompt, one.text, trait.name, trait.definition) for one in written]
    found: list[tuple[Written, float | None, LeftOut | None]] = []
    for one, opinion in zip(written, judge.score(asked), strict=True):
        out = None
        if opinion.score is None:
            out = _left(one, UNJUDGED, detail=opinion.reason)
        elif (opinion.score >= threshold) != (one.scenario.side == "positive"):
            out = _left(one, WRONG, opinion.score)
        found.append((one, opinion.score, out))
    return found


def _left(one: Written, reason: str, score: float | None = None, detail: str = "") -> LeftOut:
    return LeftOut(one.example.id, one.scenario.side, reason, one.text, score, detail)


def counts_of(left_out: Sequence[LeftOut], side: str | None = None) -> Mapping[str, int]:
    """Return how many were left out by reason, on one side or on both."""
    found = Counter(one.reason for one in left_out if side in (None, one.side))
    return dict(sorted(found.items()))
