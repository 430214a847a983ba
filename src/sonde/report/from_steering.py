"""Sections on steering: curves over the coefficient, and what was written."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sonde.report.sections.samples import Sample, Samples
from sonde.report.sections.steering_curves import (
    COLOURS,
    SteeredPoint,
    SteeringCurve,
    SteeringCurves,
)
from sonde.stats.interval import Interval

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.steering.results import SteeringResults

QUESTIONS = 6  # whose answers are shown
UNSTEERED_ARM = 0
RANDOM = "random"
JOINT = "Where several blocks are steered at once, the raw size is that at the first of them."


def steering_from(found: "SteeringResults") -> tuple[SteeringCurves, ...]:
    """Draw the curves of all vectors, those of one position together, six a chart."""
    sections: list[SteeringCurves] = []
    positions = list(dict.fromkeys(one.position for one in found.vectors))
    for position in positions:
        names = [one.name for one in found.vectors if one.position == position]
        for start in range(0, len(names), COLOURS):
            several = len(positions) > 1 or len(names) > COLOURS
            part = _curves(found, names[start : start + COLOURS])
            title = "Trait and coherence by coefficient"
            sections.append(_section(found, part, f"{title}, {position}" if several else title))
    return tuple(sections)


def _section(
    found: "SteeringResults", curves: Sequence[SteeringCurve], title: str
) -> SteeringCurves:
    limit = found.settings.limit
    judged = limit.kind == "judged"
    prompt = found.arm("prompt")
    levels = {"unsteered": _points(found.trait(0))}
    if prompt is not None:
        levels["plain prompt"] = _points(found.trait(prompt))
    return SteeringCurves(
        curves=tuple(curves),
        trait=f"{found.task.trait}, 0 to 100",
        held_name="coherence" if judged else "perplexity ratio",
        limit=limit.at_least if limit.kind == "judged" else limit.times,
        rising=judged,
        less=found.settings.sign < 0,
        levels=levels,
        note=JOINT if any(one.also for one in found.vectors) else "",
        title=title,
    )


def _curves(found: "SteeringResults", names: Sequence[str]) -> list[SteeringCurve]:
    inside = found.within_limit()
    judged = found.settings.limit.kind == "judged"
    several = len({found.vector(name).layers for name in names}) > 1
    curves: list[SteeringCurve] = []
    for name in names:
        vector, arms = found.vector(name), found.of_vector(name)
        points: list[SteeredPoint] = []
        for arm in arms:
            row, coherence = found.arms[arm], found.coherence(arm)
            held = (
                100 * coherence.value if judged and coherence else found.perplexity_ratio(arm).value
            )
            points.append(
                SteeredPoint(
                    coefficient=abs(row.coefficient or 0.0),
                    raw=abs(row.raw or 0.0),
                    trait=_points(found.trait(arm)),
                    held=held,
                    coherent=bool(inside[arm]),
                )
            )
        chosen = found.best(arms).choice.overall
        best = arms.index(chosen) if chosen in arms else None
        kind = vector.kind.replace("_", " ").replace("/", ", ")
        named = f"{kind}, {vector.where}" if several or vector.also else kind
        if points:
            curves.append(SteeringCurve(named, tuple(points), best))
    return curves


def _points(score: Interval) -> Interval:
    """Return a share of the judge's scale in points of 100."""
    ends = (100 * end for end in (score.value, score.low, score.high))
    return Interval(*ends, n=score.n, level=score.level)


def samples_from(found: "SteeringResults") -> Samples:
    """Show the answers to some questions: unsteered, asked in words, each vector at its best.

    The question comes first whose scores differ most among the arms within the limit: there the
    steering shows.
    """
    inside = found.within_limit()
    arms = _shown(found)
    questions = list(range(found.n_questions))
    said = [
        "Each vector at the coefficient that all questions choose, then at the first beyond the "
        "limit (red)."
    ]
    scores = found.answers.trait[[arm for arm in arms if inside[arm]]]
    low, high = np.fmin.reduce(scores, initial=np.inf), np.fmax.reduce(scores, initial=-np.inf)
    apart = np.where(np.isfinite(high - low), high - low, 0.0)
    if apart.max() > 0:
        first = int(apart.argmax())
        questions = [first, *(one for one in questions if one != first)]
        said.append(
            " Open is the question whose scores within the limit differ most, from "
            f"{low[first]:.0f} to {high[first]:.0f}; look at the others too."
        )
    if found.n_questions > QUESTIONS:
        said.append(f" {QUESTIONS} of {found.n_questions} questions are shown.")
    groups = tuple(
        (
            found.task.questions[at],
            tuple(_sample(found, arm, at, bool(inside[arm])) for arm in arms),
        )
        for at in questions[:QUESTIONS]
    )
    return Samples(groups, note="".join(said))


def _shown(found: "SteeringResults") -> list[int]:
    """Return the arms whose answers stand side by side, those of a vector one behind the other."""
    inside = found.within_limit()
    prompt = found.arm("prompt")
    arms = [UNSTEERED_ARM, *([] if prompt is None else [prompt])]
    for vector in found.vectors:
        own = found.of_vector(vector.name)
        arms.append(found.best(own).choice.overall)
        if vector.method != RANDOM:
            arms += [arm for arm in own if not inside[arm]][:1]
    return list(dict.fromkeys(arms))


def _sample(found: "SteeringResults", arm: int, question: int, coherent: bool) -> Sample:
    row = found.arms[arm]
    if row.role == "steered":
        vector = found.vector(row.vector)
        kind = vector.kind.replace("_", " ").replace("/", ", ")
        several = len({one.position for one in found.vectors}) > 1
        place = f"{vector.position}, {vector.where}" if several else vector.where
        made = f"{kind}, {place}, {abs(row.coefficient or 0):.3g} typical norms"
    else:
        made = "plain prompt" if row.role == "prompt" else "unsteered"
    scores = (("trait", found.answers.trait), ("coherence", found.answers.coherence))
    remarks = tuple(
        (name, f"{values[arm, question]:.0f}")
        for name, values in scores
        if math.isfinite(values[arm, question])
    )
    return Sample(made, found.answers.text[arm][question], remarks, flagged=not coherent)
