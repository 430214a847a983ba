"""The verdict on one question: an effect with its interval, held against where it must lie."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from sonde.experiments.claims.evidence import Evidence, Findings, NoEvidence
from sonde.experiments.claims.questions import Question
from sonde.experiments.claims.wording import advised, bound_in_words, place_in_words, with_interval
from sonde.stats.interval import Interval

if TYPE_CHECKING:
    from sonde.stats.effects import Effect
    from sonde.stats.metrics import Metric

Word: TypeAlias = Literal["confirmed", "refuted", "inconclusive", "partial"]
RESAMPLES = 10_000  # where an interval is made by resampling: p-values are asked for small alphas


@dataclass(frozen=True, slots=True)
class Finding:
    """What one question came out as, with the numbers behind it.

    ``p`` is two-sided: twice the one-sided p-value of the side that decides. ``n`` counts
    independent units.
    """

    verdict: Word
    why: str
    advice: str = ""
    effect: Interval | None = None
    boundary: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    design: str = ""
    n: int = 0


def judge_question(question: Question, findings: Findings, level: float) -> Finding:
    """Judge one question on per-unit scores.

    With the two-sided interval at ``level`` of the effect: confirmed if it lies wholly between the
    bounds, refuted if wholly outside of them, inconclusive otherwise, and wherever there is nothing
    to judge on: a missing result, scores of different metrics, a baseline without headroom.
    """
    try:
        parts = [findings.evidence(reference) for reference in question.references]
        _check_metrics(parts)
        _check_headroom(question, parts)
    except NoEvidence as missing:
        return Finding("inconclusive", missing.why, missing.advice, boundary=question.boundary)
    effect = _effect(question, parts, level)
    interval = effect.interval
    verdict = verdict_of(interval, question.lower, question.upper)
    said = f"{question.words} = {with_interval(interval, effect.design)}"
    undefined = not math.isfinite(interval.low + interval.high)
    return Finding(
        verdict,
        f"{said}: {place_in_words(verdict, question, interval)}.",
        "" if verdict != "inconclusive" or undefined else _advice(effect, question),
        effect=interval,
        boundary=question.boundary,
        p=None if undefined else two_sided_p(effect, question),
        design=effect.design,
        n=interval.n,
    )


def verdict_of(interval: Interval, lower: float, upper: float) -> Word:
    """Return where an interval lies: wholly inside of the bounds, wholly outside, or across one.

    A bound that is not a number decides nothing.
    """
    if interval.low > lower and interval.high < upper:
        return "confirmed"
    if interval.high < lower or interval.low > upper:
        return "refuted"
    return "inconclusive"


def two_sided_p(effect: "Effect", question: Question) -> float:
    """Return twice the one-sided p-value of the side that the estimate lies on.

    Inside is shown by excluding both bounds, so the larger p-value counts; outside by excluding
    one, so the smaller does.
    """
    lower, upper = question.lower, question.upper
    inside, outside = [effect.p_above(lower)], [effect.p_below(lower)]
    if math.isfinite(upper):
        inside, outside = [*inside, effect.p_below(upper)], [*outside, effect.p_above(upper)]
    return min(1.0, 2 * min(max(inside), *outside))


def _effect(question: Question, parts: list[Evidence], level: float) -> "Effect":
    """Combine the scores; of several series with one name, each has an equal share."""
    from sonde.stats.bootstrap import Bootstrap
    from sonde.stats.effects import combination

    weighted = [
        (scores, weight / len(part.series))
        for part, weight in zip(parts, question.weights, strict=True)
        for scores in part.series
    ]
    return combination(
        [scores for scores, _ in weighted],
        [weight for _, weight in weighted],
        Bootstrap(resamples=RESAMPLES, level=level),
        constant=question.constant,
    )


def _check_metrics(parts: list[Evidence]) -> None:
    if len({part.metric for part in parts}) > 1:
        named = ", ".join(f"{part.reference} is {part.metric}" for part in parts)
        raise NoEvidence(
            f"Scores of different metrics cannot be compared: {named}.",
            "Compare results of one metric.",
        )


def _check_headroom(question: Question, parts: list[Evidence]) -> None:
    """Refuse a comparison whose baseline leaves no room for the difference that it looks for."""
    from sonde.stats.headroom import headroom

    metric, number = _metric(parts), question.baseline
    if isinstance(number, float) and not metric.floor <= number <= metric.ceiling:
        raise NoEvidence(
            f"Refused: {bound_in_words(number)} is no {metric.name}, which lies between "
            f"{bound_in_words(metric.floor)} and {bound_in_words(metric.ceiling)}.",
            "Compare with a number that the score could have.",
        )
    for rises in (way > 0 for way in question.room):
        found = headroom(_baseline(question, parts), metric, question.needed, rises=rises)
        if not found.enough:
            raise NoEvidence(f"Refused: {found.why}", found.fix)


def _baseline(question: Question, parts: list[Evidence]) -> Interval:
    if isinstance(question.baseline, float):
        return Interval(question.baseline, question.baseline, question.baseline, 0)
    return next(part.score for part in parts if part.reference == question.baseline)


def _metric(parts: list[Evidence]) -> "Metric":
    """Return the metric; a mean of zeros and ones has ends, which the mean itself has not."""
    from sonde.stats.metrics import METRICS

    metric = METRICS[parts[0].metric]
    binary = all(
        bool(((scores.predicted == 0) | (scores.predicted == 1)).all())
        for part in parts
        for scores in part.series
    )
    is_rate = metric.name == "mean" and binary
    return replace(metric, floor=0.0, ceiling=1.0) if is_rate else metric


def _advice(effect: "Effect", question: Question) -> str:
    """Say how many units would decide; inside two bounds, both have to be excluded."""
    value = effect.interval.value
    bounds = [bound for bound in (question.lower, question.upper) if math.isfinite(bound)]
    wanted = {bound: effect.units_to_decide(bound) for bound in bounds}
    if question.lower < value < question.upper:
        needed = max(wanted.values())
    else:
        needed = wanted[min(bounds, key=lambda bound: abs(bound - value))]
    return advised(needed, effect.interval.n)
