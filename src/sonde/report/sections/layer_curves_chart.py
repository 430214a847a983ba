"""The drawing of layer curves: lines and bands of the scores, thin lines of what they are against.

A control that is the same for several probes, such as a random direction, is drawn once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from sonde.probes.names import SHUFFLED, in_order
from sonde.report import charts, svg
from sonde.report.wording import figure, interval_text
from sonde.stats.interval import Interval

if TYPE_CHECKING:
    from sonde.report.sections.layer_curves import LayerCurves


@dataclass(frozen=True, slots=True)
class _Control:
    """A control's line; ``curve`` is the number of the curve it belongs to, None for all."""

    name: str
    series: tuple[Interval | None, ...]
    curve: int | None

    @property
    def style(self) -> str:
        return self.name.replace(" ", "-")


def chart_of(section: "LayerCurves") -> charts.Chart:
    """Draw the section."""
    low_high = _range(section)
    controls = _controls(section)

    def draw(each: charts.Frame) -> Markup:
        return Markup().join(
            [
                charts.axes(each, section.layers, lambda value: figure(value, 2), "block"),
                _levels(section, each),
                *[_control(one, each) for one in controls],
                *[_curve(section, index, each) for index in range(len(section.curves))],
                charts.named_at_end(each, _names(section, controls)),
            ]
        )

    best = section.curves[0].best
    label = f"{section.metric} by block for {', '.join(curve.name for curve in section.curves)}"
    if best is not None:
        label += f"; {section.curves[0].name} is highest at block {section.layers[best]}"
    sizes = (charts.WIDE, charts.NARROW)
    frames = [charts.frame(size, section.layers, low_high) for size in sizes]
    hover = charts.by_layer(section.layers, _hover(section, controls))
    return charts.chart(draw, frames, label, hover)


def _controls(section: "LayerCurves") -> list[_Control]:
    found: list[_Control] = []
    for name in in_order({name for curve in section.curves for name in curve.controls}):
        having = {
            index: curve.controls[name]
            for index, curve in enumerate(section.curves)
            if name in curve.controls
        }
        if len(having) > 1 and len({tuple(_values(series)) for series in having.values()}) == 1:
            found.append(_Control(name, next(iter(having.values())), None))
        else:
            found += [_Control(name, series, index) for index, series in having.items()]
    return found


def _baselines(section: "LayerCurves") -> list[tuple[str, Interval]]:
    """Return the different baselines: probes of one data set share them."""
    found: list[tuple[str, Interval]] = []
    for name in in_order({name for curve in section.curves for name in curve.baselines}):
        for curve in section.curves:
            score = curve.baselines.get(name)
            drawn = {(other, one.value) for other, one in found}
            if score is not None and _known(score) and (name, score.value) not in drawn:
                found.append((name, score))
    return found


def _range(section: "LayerCurves") -> tuple[float, float]:
    """Hold every score and the chance; a hopeless control must not squeeze the rest."""
    scores = [item for curve in section.curves for item in curve.scores if item is not None]
    series = [one for curve in section.curves for one in curve.controls.values()]
    others = [item for one in series for item in one if item is not None]
    others += [score for _, score in _baselines(section)]
    tops = [*[item.high for item in scores], *[item.value for item in [*scores, *others]]]
    lows = [item.low for item in [*scores, *others]]
    start = [section.chance] if section.chance is not None else []
    low, high = svg.bounds([*tops, *lows, *start], pad=0.05)
    middle = section.chance if section.chance is not None else low
    low = max(low, middle - 1.2 * max(high - middle, 0.1))
    bounded = all(-1 <= item.value <= 1 for item in scores)
    return low, min(high, 1.0) if bounded and high > 1 else high


def _levels(section: "LayerCurves", each: charts.Frame) -> Markup:
    parts = []
    if section.chance is not None:
        parts.append(svg.rule(each.left, each.right, each.y(section.chance), "chance"))
    for name, baseline in _baselines(section):
        style = f"baseline {name.replace(' ', '-')}"
        parts.append(svg.rule(each.left, each.right, each.y(baseline.value), style))
    return Markup().join(parts)


def _control(one: _Control, each: charts.Frame) -> Markup:
    """Draw a control; only shuffled labels have a band, because several would hide the scores."""
    band = svg.path(svg.band(each.xs, *_bounds(one.series), each.y), "band")
    return svg.node(
        "g",
        band if one.name == SHUFFLED else Markup(),
        svg.path(svg.line(each.xs, _values(one.series), each.y), "line"),
        class_=f"control {one.style}",
        data_series=None if one.curve is None else f"s{one.curve}",
    )


def _curve(section: "LayerCurves", index: int, each: charts.Frame) -> Markup:
    curve = section.curves[index]
    parts = [
        svg.path(svg.band(each.xs, *_bounds(curve.scores), each.y), "band"),
        svg.path(svg.line(each.xs, _values(curve.scores), each.y), "line"),
    ]
    best = curve.best
    value = _value(curve.scores[best]) if best is not None else None
    if best is not None and value is not None:
        at, height = each.xs[best], each.y(value)
        parts.append(svg.node("circle", cx=at, cy=height, r=4.5, class_="best"))
        if index == 0:
            said = f"block {section.layers[best]}: {figure(value)}"
            above = height - 14 if height - 14 > each.size.top + 4 else height + 24
            inside = min(max(at, each.left + 50), each.right - 50)
            parts.append(svg.text(inside, above, said, "callout", "middle"))
    return svg.node("g", *parts, class_=f"series s{index}", data_series=f"s{index}")


def _names(section: "LayerCurves", controls: Sequence[_Control]) -> list[tuple[float, str, str]]:
    names: list[tuple[float, str, str]] = []
    for index, curve in enumerate(section.curves):
        last = next((v for v in reversed(_values(curve.scores)) if v is not None), None)
        if last is not None:
            names.append((last, curve.name[:22], f"s{index}"))
    names.extend((item.value, name, "quiet") for name, item in _baselines(section))
    for name in dict.fromkeys(one.name for one in controls):
        values = [value for one in controls if one.name == name for value in _values(one.series)]
        known = [value for value in values if value is not None]
        if known:
            names.append((known[-1], name, "quiet"))
    if section.chance is not None:
        names.append((section.chance, "chance", "quiet"))
    return names


def _hover(section: "LayerCurves", controls: Sequence[_Control]) -> list[charts.HoverRow]:
    def row(one: _Control) -> charts.HoverRow:
        texts = tuple(interval_text(score, 3) for score in one.series)
        return charts.HoverRow(one.name, "quiet", texts, one.curve)

    rows: list[charts.HoverRow] = []
    for index, curve in enumerate(section.curves):
        texts = tuple(interval_text(score, 3) for score in curve.scores)
        rows.append(charts.HoverRow(curve.name, f"s{index}", texts, index))
        rows += [row(one) for one in controls if one.curve == index]
    rows += [row(one) for one in controls if one.curve is None]
    for name, baseline in _baselines(section):
        text = interval_text(baseline, 3)
        rows.append(charts.HoverRow(name, "quiet", (text,) * len(section.layers)))
    return rows


def _known(score: Interval | None) -> bool:
    return score is not None and math.isfinite(score.value)


def _value(score: Interval | None) -> float | None:
    return score.value if score is not None and math.isfinite(score.value) else None


def _values(scores: Sequence[Interval | None]) -> list[float | None]:
    return [_value(score) for score in scores]


def _bounds(scores: Sequence[Interval | None]) -> tuple[list[float | None], list[float | None]]:
    lows = [score.low if score else None for score in scores]
    highs = [score.high if score else None for score in scores]
    return lows, highs
