"""The drawing of training curves: FVU over the width, active and dead latents side by side."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from markupsafe import Markup

from sonde.report import charts, svg
from sonde.report.wording import count, figure, interval_text, magnitude, share

if TYPE_CHECKING:
    from sonde.report.sections.training_curves import TrainingCurve, TrainingCurves
    from sonde.stats.interval import Interval

HALF = charts.Size("wide", 506, 230, left=46, right=8, labels=8)
HALF_NARROW = replace(charts.NARROW, height=200)
START = 0.05  # share of the steps whose values may leave the chart: they are far above all others
LEAST = 0.1  # the range of values, as a share of the highest
ROOM, APART = 22.0, 8.0  # pixels behind the last step for a held-out figure, and for each more
HELD_OUT = "held-out rows"


def fvu_chart(section: "TrainingCurves") -> charts.Chart:
    """Draw FVU of the whole dictionary, and of its parts below it."""
    return _chart(
        section,
        section.fvu,
        (charts.WIDE, charts.NARROW),
        "FVU by step",
        (figure, lambda value: figure(value, 3), _held),
    )


def l0_chart(section: "TrainingCurves") -> charts.Chart:
    """Draw the mean number of active latents a row."""
    return _chart(
        section,
        (section.l0,),
        (HALF, HALF_NARROW),
        "Active latents a row by step",
        (_plain, magnitude, lambda score: interval_text(score, 1)),
    )


def dead_chart(section: "TrainingCurves") -> charts.Chart:
    """Draw the share of dead latents."""
    return _chart(
        section,
        (section.dead,),
        (HALF, HALF_NARROW),
        "Share of dead latents by step",
        (share, share, _held),
    )


def _held(score: "Interval | None") -> str:
    return interval_text(score, 3)


def _plain(value: float) -> str:
    return f"{value:,.10g}"


Said = tuple[Callable[[float], str], Callable[[float], str], "Callable[[Interval | None], str]"]


def _chart(
    section: "TrainingCurves",
    curves: "Sequence[TrainingCurve]",
    sizes: Sequence[charts.Size],
    label: str,
    said: Said,
) -> charts.Chart:
    """Draw curves; ``said`` writes a value at the axis, one of a step, and a held-out figure."""
    marked = any(one.held_out is not None for one in curves)
    low_high = _range(curves)

    def draw(each: charts.Frame) -> Markup:
        lines = [_line(section, one, number, each) for number, one in enumerate(curves)]
        order = reversed(lines)  # the whole dictionary above its parts
        names = _names(curves) if len(curves) > 1 else []
        return Markup().join(
            [_axes(section, each, said[0]), *order, charts.named_at_end(each, names)]
        )

    frames = [_frame(section, size, low_high, marked) for size in sizes]
    return charts.chart(draw, frames, label, _hover(section, curves, said, marked))


def _range(curves: "Sequence[TrainingCurve]") -> tuple[float, float]:
    """Hold all values but the first few, which may be far above the rest, and nothing below 0."""
    seen: list[float | None] = []
    for one in curves:
        seen += one.values[math.floor(START * len(one.values)) :]
        if one.held_out is not None:
            seen += [one.held_out.value, one.held_out.low, one.held_out.high]
    low, high = svg.bounds(seen, pad=0.06)
    short = LEAST * high - (high - low)  # a k that is hardly missed should not fill the height
    if short > 0:
        low, high = low - short / 2, high + short / 2
    return max(0.0, low), high


def _frame(
    section: "TrainingCurves", size: charts.Size, low_high: tuple[float, float], marked: bool
) -> charts.Frame:
    """Place the steps along the width; held-out figures have a column behind the last."""
    x = _across(section, size)
    xs = [x(step) for step in section.steps]
    y = svg.Scale(*low_high, size.height - size.bottom, size.top)
    behind = [_mark_at(section, size, 0)] if marked else []
    return charts.Frame(size, (*xs, *behind), y)


def _across(section: "TrainingCurves", size: charts.Size) -> svg.Scale:
    """Map steps to pixels, alike in the charts that stand side by side."""
    several = size.height > HALF.height
    held = [one.held_out for one in (section.fvu if several else (section.l0,))]
    room = ROOM + APART * (len(held) - 1) if any(held) else 0
    end = size.width - size.right - 8 - room
    return svg.Scale(section.steps[0], section.steps[-1], size.left + 8, end)


def _mark_at(section: "TrainingCurves", size: charts.Size, number: int) -> float:
    """Return where a curve's held-out figure stands: beside the others, not upon them."""
    return _across(section, size).end + ROOM + APART * number


def _axes(section: "TrainingCurves", each: charts.Frame, say: Callable[[float], str]) -> Markup:
    parts: list[Markup] = []
    for value in each.y.ticks(6 if each.size.height > HALF.height else 4):
        height = each.y(value)
        parts.append(svg.rule(each.left, each.right, height, "grid"))
        parts.append(svg.text(each.left - 8, height + 4, say(value), "tick", "end"))
    x = _across(section, each.size)
    for value in x.ticks(each.size.labels // 2):
        if value == int(value):
            parts.append(svg.text(x(value), each.floor + 18, count(int(value)), "tick", "middle"))
    middle = (each.left + each.right) / 2
    parts.append(svg.text(middle, each.size.height - 4, "step", "axis", "middle"))
    return svg.node("g", *parts, class_="axes")


def _line(
    section: "TrainingCurves", curve: "TrainingCurve", number: int, each: charts.Frame
) -> Markup:
    """Draw a curve and its held-out figure, with the interval as a line through it."""
    at, values = _in_view(each.xs[: len(curve.values)], curve.values, each.y.high)
    parts = [svg.path(svg.line(at, values, each.y), "line")]
    held = curve.held_out
    if held is not None and math.isfinite(held.value):
        x = _mark_at(section, each.size, number)
        if math.isfinite(held.low) and math.isfinite(held.high):
            ends = each.y(held.low), each.y(held.high)
            parts.append(svg.node("line", x1=x, x2=x, y1=ends[0], y2=ends[1], class_="line"))
        parts.append(svg.node("circle", cx=x, cy=each.y(held.value), r=4.5, class_="best"))
    return svg.node("g", *parts, class_=f"series s{number}", data_series=f"s{number}")


def _in_view(
    at: Sequence[float], values: Sequence[float | None], high: float
) -> tuple[Sequence[float], Sequence[float | None]]:
    """Let a curve that begins above the chart come in from its edge, not run along it."""
    there = (number for number, value in enumerate(values) if value is not None and value <= high)
    first = next(there, 0)
    if not first:
        return at, values
    before, value = values[first - 1], values[first]
    assert value is not None
    if before is None:
        return at[first:], values[first:]
    share = (before - high) / (before - value)
    edge = at[first - 1] + share * (at[first] - at[first - 1])
    return [edge, *at[first:]], [high, *values[first:]]


def _names(curves: "Sequence[TrainingCurve]") -> list[tuple[float, str, str]]:
    ends = [one.held_out.value if one.held_out else (one.known or (0.0,))[-1] for one in curves]
    return [
        (end, one.name, f"s{number}")
        for number, (end, one) in enumerate(zip(ends, curves, strict=True))
        if math.isfinite(end)
    ]


def _hover(
    section: "TrainingCurves", curves: "Sequence[TrainingCurve]", said: Said, marked: bool
) -> charts.Hover:
    def written(value: float | None) -> str:
        return said[1](math.nan if value is None else value)

    rows = [
        charts.HoverRow(
            one.name,
            f"s{number}",
            (*map(written, one.values), *([said[2](one.held_out)] if marked else [])),
            number if len(curves) > 1 else None,
        )
        for number, one in enumerate(curves)
    ]
    heads = [f"step {count(step)}" for step in section.steps]
    return charts.Hover((*heads, *([HELD_OUT] if marked else [])), tuple(rows))
