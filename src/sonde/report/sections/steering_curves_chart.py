"""The drawing of steering curves: the trait above, the measure of coherence below."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from sonde.report import charts, svg
from sonde.report.wording import figure, interval_text, magnitude

if TYPE_CHECKING:
    from sonde.report.sections.steering_curves import SteeredPoint, SteeringCurve, SteeringCurves

ROOM = 22  # letters
MOST = 4.0  # times the limit: a ratio of perplexities has no end, and the rest must be seen
Value = float | None


def trait_chart(section: "SteeringCurves") -> charts.Chart:
    """Draw the trait's score with its intervals; hollow points are incoherent."""
    scores = [point.trait for curve in section.curves for point in curve.points if point.trait]
    ends = [end for one in (*scores, *section.levels.values()) for end in (one.low, one.high)]
    low, high = svg.bounds([*ends, *[one.value for one in scores]], pad=0.05)
    if all(0 <= end <= 100 for end in ends):
        low, high = max(0.0, low), min(100.0, high)

    def inside(each: charts.Frame) -> Markup:
        levels = [
            svg.rule(each.left, each.right, each.y(score.value), f"baseline {_style(name)}")
            for name, score in section.levels.items()
        ]
        lines = [
            _line(section, index, each, [_value(point.trait) for point in curve.points], band=True)
            for index, curve in enumerate(section.curves)
        ]
        return Markup().join([*levels, *lines, charts.named_at_end(each, _names(section))])

    return _chart(
        section,
        (charts.WIDE, charts.NARROW),
        (low, high),
        inside,
        f"{section.trait} by coefficient",
        lambda point: interval_text(point.trait, 1),
    )


def limit_chart(section: "SteeringCurves") -> charts.Chart:
    """Draw what the limit is put on, with the limit as a line."""
    known = [
        min(point.held, MOST * section.limit)
        for curve in section.curves
        for point in curve.points
        if point.held is not None and math.isfinite(point.held)
    ]
    low_high = svg.bounds([*known, section.limit], pad=0.08)

    def inside(each: charts.Frame) -> Markup:
        limit = svg.rule(each.left, each.right, each.y(section.limit), "limit severe")
        lines = [
            _line(section, index, each, [_finite(point.held) for point in curve.points])
            for index, curve in enumerate(section.curves)
        ]
        return Markup().join(
            [limit, *lines, charts.named_at_end(each, [(section.limit, "limit", "quiet")])]
        )

    return _chart(
        section,
        (charts.WIDE_LOW, charts.NARROW_LOW),
        low_high,
        inside,
        f"{section.held_name} by coefficient",
        lambda point: figure(point.held),
    )


def _chart(
    section: "SteeringCurves",
    sizes: Sequence[charts.Size],
    low_high: tuple[float, float],
    inside: Callable[[charts.Frame], Markup],
    label: str,
    say: "Callable[[SteeredPoint], str]",
) -> charts.Chart:
    digits = 0 if low_high[1] - low_high[0] > 5 else 2

    def draw(each: charts.Frame) -> Markup:
        return Markup().join([_axes(section, each, digits), inside(each)])

    frames = [_frame(section, size, low_high) for size in sizes]
    return charts.chart(draw, frames, label, _hover(section, say))


def _hover(section: "SteeringCurves", say: "Callable[[SteeredPoint], str]") -> charts.Hover:
    """Return the tooltips; curves at different layers have raw sizes of their own."""
    every = section.coefficients
    raw: dict[float, set[str]] = {value: set() for value in every}
    for curve in section.curves:
        for point in curve.points:
            raw[point.coefficient].add(magnitude(point.raw))
    alike = all(len(sizes) == 1 for sizes in raw.values())

    def told(point: "SteeredPoint") -> str:
        return say(point) if alike else f"{say(point)} ({magnitude(point.raw)} raw)"

    rows: list[charts.HoverRow] = []
    for index, curve in enumerate(section.curves):
        at = {point.coefficient: point for point in curve.points}
        texts = tuple(told(at[value]) if value in at else "" for value in every)
        rows.append(charts.HoverRow(curve.name, f"s{index}", texts, index))
    heads = tuple(
        f"{value:.3g} typical norms" + (f", {raw[value].pop()} raw" if alike else "")
        for value in every
    )
    return charts.Hover(heads, tuple(rows))


def _frame(
    section: "SteeringCurves", size: charts.Size, low_high: tuple[float, float]
) -> charts.Frame:
    """Place the coefficients on a logarithmic width."""
    x = _across(section, size)
    y = svg.Scale(*low_high, size.height - size.bottom, size.top)
    return charts.Frame(size, tuple(x(value) for value in section.coefficients), y)


def _across(section: "SteeringCurves", size: charts.Size) -> svg.Scale:
    every = section.coefficients
    low, high = every[0], every[-1]
    if low == high:
        low, high = low / 2, high * 2
    return svg.Scale(low, high, size.left + 8, size.width - size.right - 8, log=True)


def _axes(section: "SteeringCurves", each: charts.Frame, digits: int) -> Markup:
    parts: list[Markup] = []
    for value in each.y.ticks(6):
        height = each.y(value)
        parts.append(svg.rule(each.left, each.right, height, "grid"))
        parts.append(svg.text(each.left - 8, height + 4, figure(value, digits), "tick", "end"))
    x = _across(section, each.size)
    for value in _ticks(section, x, each.size.labels // 2):
        parts.append(svg.text(x(value), each.floor + 18, f"{value:.3g}", "tick", "middle"))
    middle = (each.left + each.right) / 2
    said = "coefficient, in typical norms"
    parts.append(svg.text(middle, each.size.height - 4, said, "axis", "middle"))
    return svg.node("g", *parts, class_="axes")


def _ticks(section: "SteeringCurves", x: svg.Scale, wanted: int) -> Sequence[float]:
    """Return powers of two; of a range with hardly any, some of the coefficients themselves."""
    doublings = _doublings(x.low, x.high, wanted)
    if len(doublings) > 2:
        return doublings
    return [section.coefficients[at] for at in _spread(len(section.coefficients), wanted)]


def _spread(number: int, wanted: int) -> list[int]:
    """Return the indices of at most so many things, from the first to the last."""
    step = max(1, math.ceil((number - 1) / max(1, wanted - 1)))
    return [*range(0, number - 1, step), number - 1]


def _doublings(low: float, high: float, wanted: int) -> list[float]:
    """Return powers of two inside the range, every so many of them."""
    first, last = math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9)
    step = max(1, math.ceil((last - first + 1) / wanted))
    return [2.0**power for power in range(first, last + 1, step)]


def _line(
    section: "SteeringCurves",
    index: int,
    each: charts.Frame,
    values: list[Value],
    band: bool = False,
) -> Markup:
    curve = section.curves[index]
    x = _across(section, each.size)
    xs = [x(point.coefficient) for point in curve.points]
    parts = [svg.path(svg.line(xs, values, each.y), "line")]
    if band:
        lows = [point.trait.low if point.trait else None for point in curve.points]
        highs = [point.trait.high if point.trait else None for point in curve.points]
        parts.insert(0, svg.path(svg.band(xs, lows, highs, each.y), "band"))
    for at, (point, value) in enumerate(zip(curve.points, values, strict=True)):
        if value is None:
            continue
        style = "best" if at == curve.best else "point" if point.coherent else "point broken"
        radius = 5.5 if at == curve.best else 3.2
        parts.append(svg.node("circle", cx=xs[at], cy=each.y(value), r=radius, class_=style))
    return svg.node("g", *parts, class_=f"series s{index}", data_series=f"s{index}")


def _names(section: "SteeringCurves") -> list[tuple[float, str, str]]:
    names: list[tuple[float, str, str]] = []
    for index, curve in enumerate(section.curves):
        value = _last(curve)
        if value is not None and curve.points[-1].coefficient >= 0.7 * section.coefficients[-1]:
            names.append((value, _short(curve.name), f"s{index}"))
    names += [(score.value, name, "quiet") for name, score in section.levels.items()]
    return names


def _short(name: str) -> str:
    """Cut a name that the margin has no room for; the legend has all of it."""
    return name if len(name) <= ROOM else f"{name[: ROOM - 1].rstrip(' ,')}…"


def _last(curve: "SteeringCurve") -> Value:
    return next((v for p in reversed(curve.points) if (v := _value(p.trait)) is not None), None)


def _value(score: object) -> Value:
    value = getattr(score, "value", None)
    return value if value is not None and math.isfinite(value) else None


def _finite(value: Value) -> Value:
    return value if value is not None and math.isfinite(value) else None


def _style(name: str) -> str:
    return name.replace(" ", "-")
