"""Claims and their verdicts: what was said beforehand, and whether the numbers bear it out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from markupsafe import Markup

from sonde.report import svg
from sonde.report.wording import interval_text
from sonde.stats.interval import Interval

Verdict: TypeAlias = Literal["confirmed", "refuted", "inconclusive", "partial"]
SIGNS = {"confirmed": "✓", "refuted": "✗", "inconclusive": "?", "partial": "◐"}
POST_HOC = "post hoc"  # the mode of a claim that was made when results existed
HEIGHT = 64.0


@dataclass(frozen=True, slots=True)
class ClaimView:
    """One claim as a reader sees it.

    ``effect`` is drawn against ``bounds``, between which (or beyond the one of which) it is claimed
    to lie; an infinite bound is none. ``marks`` say what is odd about how it came about, ``facts``
    are pairs of a name and a value.
    """

    name: str
    statement: str
    verdict: Verdict
    mode: str
    why: str
    advice: str = ""
    effect: Interval | None = None
    bounds: tuple[float, float] = (-math.inf, math.inf)
    marks: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of an experiment, in the order of its file."""

    items: tuple[ClaimView, ...]
    title: str = "Claims"
    note: str = ""
    kind: ClassVar[str] = "claims"


def prepare(section: Claims) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "items": [
            {
                "claim": item,
                "sign": SIGNS[item.verdict],
                "word": item.verdict + (f", {POST_HOC}" if item.mode == POST_HOC else ""),
                "drawing": drawing(item),
            }
            for item in section.items
        ]
    }


def drawing(item: ClaimView) -> Markup:
    """Draw the interval against its bounds, for wide pages and for phones."""
    effect = item.effect
    if effect is None or not math.isfinite(effect.low + effect.high):
        return Markup()
    return _drawing(item, effect, "wide", 620.0) + _drawing(item, effect, "narrow", 358.0)


def _drawing(item: ClaimView, effect: Interval, name: str, width: float) -> Markup:
    low, high = item.bounds
    finite = [bound for bound in item.bounds if math.isfinite(bound)]
    x = svg.Scale(*svg.bounds([0.0, *finite, effect.low, effect.high], pad=0.12), 8.0, width - 8)
    claimed = (max(low, x.low), min(high, x.high))
    floor, middle = HEIGHT - 22, 22.0
    label = f"{item.name}: {interval_text(effect, 3)}; claimed {_claimed(low, high)}"
    parts = [
        svg.node("title", label),
        svg.node(
            "rect",
            x=x(claimed[0]),
            y=0,
            width=x(claimed[1]) - x(claimed[0]),
            height=floor,
            class_="claimed",
        ),
        svg.rule(x.start, x.end, floor, "grid"),
        *_zero(x, floor, finite),
        *[_bound(x, bound, floor) for bound in finite],
        svg.rule(x(effect.low), x(effect.high), middle, "reach"),
        *[_end(x(end), middle) for end in (effect.low, effect.high)],
        svg.node("circle", cx=x(effect.value), cy=middle, r=5.5),
    ]
    return svg.node(
        "svg",
        *parts,
        class_=f"chart stand {name}",
        viewBox=f"0 0 {svg.number(width)} {svg.number(HEIGHT)}",
        role="img",
    )


def _zero(x: svg.Scale, floor: float, bounds: Sequence[float]) -> list[Markup]:
    """Mark no difference, unless a bound stands there or would touch its label."""
    at = x(0.0)
    line = svg.node("line", x1=at, x2=at, y1=0, y2=floor, class_="zero")
    if any(abs(x(bound) - at) < 34 for bound in bounds):
        return [line] if 0.0 not in bounds else []
    return [line, svg.text(at, floor + 16, "0", "tick", "middle")]


def _bound(x: svg.Scale, bound: float, floor: float) -> Markup:
    at = x(bound)
    line = svg.node("line", x1=at, x2=at, y1=0, y2=floor, class_="bound")
    inside = min(max(at, x.start + 14), x.end - 14)
    return line + svg.text(inside, floor + 16, number(bound), "tick", "middle")


def _end(at: float, middle: float) -> Markup:
    return svg.node("line", x1=at, x2=at, y1=middle - 5, y2=middle + 5, class_="reach")


def _claimed(low: float, high: float) -> str:
    if math.isfinite(low) and math.isfinite(high):
        return f"between {number(low)} and {number(high)}"
    return f"above {number(low)}" if math.isfinite(low) else f"below {number(high)}"


def number(bound: float) -> str:
    """Write a bound as it was given, with a true minus."""
    return f"{bound:g}".replace("-", "−")
