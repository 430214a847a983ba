"""The answer in one sentence, from the numbers, and a verdict that claims no more."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from markupsafe import Markup

from sonde.probes.names import BAG, CURRENT, DIRECTION, LENGTH, SHUFFLED
from sonde.report import svg
from sonde.report.sections.layer_curves import Curve, LayerCurves
from sonde.report.wording import absences, figure, interval_text, listed
from sonde.stats.interval import Interval

Strength: TypeAlias = Literal["clear", "weak", "none"]

CARE = (
    "A probe shows what can be read from the activations, not that the model uses it; "
    "that needs an edit, such as steering or ablation."
)

_SPOKEN = {
    BAG: "the words alone",
    LENGTH: "the length alone",
    CURRENT: "the current token alone",
    DIRECTION: "a random direction",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A sentence with the numbers, a verdict with its strength, a caveat, and the estimates drawn.

    ``estimates`` are pairs of a name and an interval, the answer first.
    """

    sentence: str
    verdict: str = ""
    strength: Strength = "weak"
    care: str = CARE
    estimates: tuple[tuple[str, Interval], ...] = ()
    metric: str = ""
    chance: float | None = None


def answer_from(section: LayerCurves, number: int = 0) -> Answer:
    """Put one curve of a section into words.

    The verdict compares intervals: *clear* needs the score's to lie wholly above those of every
    control and baseline. Where the curve has a score for the layer chosen inside the training
    folds, that one is judged, because the best of many layers flatters itself.
    """
    curve = section.curves[number]
    best = curve.best
    score = curve.scores[best] if best is not None else None
    if best is None or score is None:
        return Answer("No layer gave a finite score.", "There is no answer yet.", "none")
    verdict, strength = _judged(section, curve, best)
    beside = {name: item for name, item in curve.against(best).items() if math.isfinite(item.value)}
    against = [f"{figure(item.value)} for {_called(name)}" for name, item in beside.items()]
    sentence = f"Best block {section.layers[best]}: {section.metric} {interval_text(score)}"
    sentence += (
        f" against {listed(against)}." if against else ", without a control to hold against."
    )
    if curve.selected is not None:
        chosen = interval_text(curve.selected)
        sentence += f" With the layer chosen inside the training folds it is {chosen}."
    sentence += "".join(f" {absence}." for absence in absences(curve.missing))
    return Answer(
        sentence,
        verdict,
        strength,
        estimates=_estimates(curve, f"block {section.layers[best]}", score, beside),
        metric=section.metric,
        chance=section.chance,
    )


def _estimates(
    curve: Curve, name: str, score: Interval, beside: Mapping[str, Interval]
) -> tuple[tuple[str, Interval], ...]:
    named = [(name, score), ("layer chosen in training", curve.selected), *beside.items()]
    return tuple((said, item) for said, item in named if item and math.isfinite(item.value))


def _judged(section: LayerCurves, curve: Curve, best: int) -> tuple[str, Strength]:
    """Judge the choice of the layer where it was scored, by its own controls where it has them."""
    score, beside = curve.scores[best], curve.against(best)
    if curve.selected is not None:
        score, beside = curve.selected, {**beside, **curve.against(None)}
    assert score is not None
    return _verdict(score, beside, section.chance)


def _verdict(
    score: Interval, beside: Mapping[str, Interval], chance: float | None
) -> tuple[str, Strength]:
    shuffled = beside.get(SHUFFLED)
    if shuffled is None and chance is None:
        return "There is no control, so nothing can be concluded.", "none"
    floors = {"shuffled labels": shuffled.high if shuffled else None, "chance": chance}
    for name, floor in floors.items():
        # Not `<=`: a NaN bound must never count as evidence.
        if floor is not None and not score.low > floor:
            return f"Not told apart from {name}: no evidence that it can be read here.", "none"
    rivals = [_called(name) for name, it in beside.items() if not score.low > it.high]
    if rivals:
        return (
            f"It can be read here, but {listed(rivals, 'or')} may do as well: "
            f"no evidence of anything beyond {'it' if len(rivals) == 1 else 'them'}.",
            "weak",
        )
    if shuffled is None:
        return "It is above chance, but shuffled labels were not tried.", "weak"
    if BAG not in beside and CURRENT not in beside:  # of tokens, the words that stand there
        return "It can be read here, but whether from the words alone was not measured.", "weak"
    names = listed([_called(name) for name in beside], "or")
    return f"It can be read here, beyond what {names} allow.", "clear"


def _called(name: str) -> str:
    """Return the name of a control or baseline as a sentence has it."""
    return _SPOKEN.get(name, name)


def forest(answer: Answer) -> Markup:
    """Draw the estimates under each other on one axis, for wide pages and for phones."""
    rows = [(name, item) for name, item in answer.estimates if math.isfinite(item.low + item.high)]
    if not rows:
        return Markup()
    return Markup().join(
        [_forest(answer, rows, "wide", 1040.0, 220.0), _forest(answer, rows, "narrow", 358.0, 0.0)]
    )


def _forest(
    answer: Answer, rows: Sequence[tuple[str, Interval]], name: str, width: float, left: float
) -> Markup:
    stacked = left == 0
    step = 44 if stacked else 30
    start, end = (6.0, width - 6) if stacked else (left, width - 130)
    chance = [answer.chance] if answer.chance is not None else []
    low, high = svg.bounds([*chance, *[v for _, i in rows for v in (i.low, i.high)]], pad=0.04)
    x = svg.Scale(low, high, start, end)
    floor = step * len(rows) + 4
    parts = [_column(x, value, floor) for value in x.ticks(4 if stacked else 8)]
    if answer.chance is not None:
        at = x(answer.chance)
        parts.append(svg.node("line", x1=at, x2=at, y1=0, y2=floor, class_="chance"))
    for number, (said, item) in enumerate(rows):
        height = step * number + (32.0 if stacked else 18.0)
        style = "estimate first" if number == 0 else "estimate"
        value = svg.node("tspan", interval_text(item), class_="value", dx=10) if stacked else ""
        words = svg.node(
            "text", said, value, x=0, y=height - (12 if stacked else -4), class_="name"
        )
        beside = "" if stacked else svg.text(end + 16, height + 4, interval_text(item), "value")
        parts.append(svg.node("g", words, beside, *_mark(x, item, height), class_=style))
    return svg.node(
        "svg",
        svg.node(
            "title", f"{answer.metric}: {'; '.join(f'{n} {interval_text(i)}' for n, i in rows)}"
        ),
        *parts,
        class_=f"chart forest {name}",
        viewBox=f"0 0 {svg.number(width)} {floor + 22}",
        role="img",
    )


def _column(x: svg.Scale, value: float, floor: float) -> Markup:
    at = x(value)
    grid = svg.node("line", x1=at, x2=at, y1=0, y2=floor, class_="grid")
    return grid + svg.text(at, floor + 16, figure(value), "tick", "middle")


def _mark(x: svg.Scale, item: Interval, height: float) -> tuple[Markup, Markup]:
    return (
        svg.rule(x(item.low), x(item.high), height, "reach"),
        svg.node("circle", cx=x(item.value), cy=height, r=5),
    )
