"""Scores by layer: intervals, shuffled-label controls, the bag-of-tokens baseline and chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from markupsafe import Markup

from sonde.core.errors import SondeError
from sonde.report import svg
from sonde.report.charts import (
    NARROW,
    WIDE,
    Chart,
    Frame,
    HoverRow,
    axes,
    chart,
    frame,
    named_at_end,
)
from sonde.report.wording import figure, interval_text
from sonde.stats.interval import Interval

COLOURS = 6


@dataclass(frozen=True, slots=True)
class Curve:
    """One probe's scores, an entry a layer.

    ``controls`` come from shuffled labels, ``baseline`` from a bag of tokens. ``selected`` is the
    score when the layer is chosen inside the training folds: what to expect of the choice, and
    ``selected_control`` the same with shuffled labels.
    """

    name: str
    scores: tuple[Interval | None, ...]
    controls: tuple[Interval | None, ...] = ()
    baseline: Interval | None = None
    selected: Interval | None = None
    selected_control: Interval | None = None

    @property
    def best(self) -> int | None:
        """The index of the highest score, None where no score is finite."""
        known = [index for index, score in enumerate(self.scores) if _known(score)]
        return max(known, key=lambda index: _value(self.scores[index]) or -math.inf, default=None)


@dataclass(frozen=True, slots=True)
class LayerCurves:
    """The curves of one or more probes over the same layers; ``chance`` draws a line."""

    layers: tuple[int, ...]
    curves: tuple[Curve, ...]
    metric: str = "AUROC"
    chance: float | None = 0.5
    title: str = "Layer by layer"
    note: str = ""
    kind: ClassVar[str] = "layer_curves"

    def __post_init__(self) -> None:
        if not self.layers or not self.curves:
            raise SondeError("Layer curves need at least one layer and one curve.")
        if len(self.curves) > COLOURS:
            raise SondeError(
                f"{len(self.curves)} curves cannot be told apart in one chart.",
                fix=f"Show {COLOURS} at most, or make a second section.",
            )
        if list(self.layers) != sorted(set(self.layers)):
            raise SondeError(f"The layers {self.layers} are not in rising order.")
        for curve in self.curves:
            given = {len(curve.scores), len(curve.controls) or len(self.layers)}
            if given != {len(self.layers)}:
                raise SondeError(
                    f"The curve {curve.name!r} has {len(curve.scores)} scores and "
                    f"{len(curve.controls)} controls for {len(self.layers)} layers.",
                    fix="Give one entry a layer, None where there is none.",
                )


def prepare(section: LayerCurves) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "chart": _chart(section),
        "legend": [(f"s{index}", curve.name) for index, curve in enumerate(section.curves)],
        "header": _header(section),
        "rows": _rows(section),
        "controls": any(curve.controls for curve in section.curves),
        "baseline": bool(_baselines(section)),
        "summaries": [_summary(section, curve) for curve in section.curves],
        "levels": _level(section),
    }


def _summary(section: LayerCurves, curve: Curve) -> dict[str, str]:
    best = curve.best
    score = curve.scores[best] if best is not None else None
    control = curve.controls[best] if best is not None and curve.controls else None
    return {
        "name": curve.name,
        "best": f"block {section.layers[best]}" if best is not None else "none",
        "score": interval_text(score, 3),
        "control": interval_text(control, 3),
        "baseline": interval_text(curve.baseline, 3),
        "selected": interval_text(curve.selected, 3) if curve.selected else "",
        "n": f"{score.n:,}" if score else "",
    }


def _level(section: LayerCurves) -> str:
    known = [score for curve in section.curves for score in curve.scores if score is not None]
    return f"{100 * known[0].level:g} %" if known else "95 %"


def _header(section: LayerCurves) -> list[str]:
    header = ["Block"]
    for curve in section.curves:
        header.append(curve.name)
        if curve.controls:
            header.append(f"{curve.name}, shuffled labels")
    return header


def _rows(section: LayerCurves) -> list[list[str]]:
    rows: list[list[str]] = []
    for index, layer in enumerate(section.layers):
        row = [str(layer)]
        for curve in section.curves:
            row.append(interval_text(curve.scores[index], 3))
            if curve.controls:
                row.append(interval_text(curve.controls[index], 3))
        rows.append(row)
    return rows


def _baselines(section: LayerCurves) -> list[Interval]:
    """Return the different baselines: probes of one data set share one."""
    found: list[Interval] = []
    for curve in section.curves:
        if curve.baseline and _known(curve.baseline) and curve.baseline not in found:
            found.append(curve.baseline)
    return found


def _chart(section: LayerCurves) -> Chart:
    low_high = _range(section)

    def draw(each: Frame) -> Markup:
        return Markup().join(
            [
                axes(each, section.layers, lambda value: figure(value, 2), "block"),
                _levels(section, each),
                *[_controls(curve, index, each) for index, curve in enumerate(section.curves)],
                *[_curve(section, index, each) for index in range(len(section.curves))],
                named_at_end(each, _names(section)),
            ]
        )

    best = section.curves[0].best
    label = f"{section.metric} by block for {', '.join(curve.name for curve in section.curves)}"
    if best is not None:
        label += f"; {section.curves[0].name} is highest at block {section.layers[best]}"
    frames = [frame(size, section.layers, low_high) for size in (WIDE, NARROW)]
    return chart(draw, frames, label, (section.layers, _hover(section)))


def _range(section: LayerCurves) -> tuple[float, float]:
    """Hold every score and the chance; a hopeless control must not squeeze the rest."""
    scores = [item for curve in section.curves for item in curve.scores if item is not None]
    others = [item for curve in section.curves for item in curve.controls if item is not None]
    tops = [*[item.high for item in scores], *[item.value for item in scores]]
    lows = [item.low for item in [*scores, *others, *_baselines(section)]]
    start = [section.chance] if section.chance is not None else []
    low, high = svg.bounds([*tops, *lows, *start], pad=0.05)
    middle = section.chance if section.chance is not None else low
    low = max(low, middle - 1.2 * max(high - middle, 0.1))
    bounded = all(-1 <= item.value <= 1 for item in scores)
    return low, min(high, 1.0) if bounded and high > 1 else high


def _levels(section: LayerCurves, each: Frame) -> Markup:
    parts = []
    if section.chance is not None:
        parts.append(svg.rule(each.left, each.right, each.y(section.chance), "chance"))
    for baseline in _baselines(section):
        parts.append(svg.rule(each.left, each.right, each.y(baseline.value), "baseline"))
    return Markup().join(parts)


def _controls(curve: Curve, index: int, each: Frame) -> Markup:
    if not curve.controls:
        return Markup()
    return svg.node(
        "g",
        svg.path(svg.band(each.xs, *_bounds(curve.controls), each.y), "band"),
        svg.path(svg.line(each.xs, _values(curve.controls), each.y), "line"),
        class_="control",
        data_series=f"s{index}",
    )


def _curve(section: LayerCurves, index: int, each: Frame) -> Markup:
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


def _names(section: LayerCurves) -> list[tuple[float, str, str]]:
    names: list[tuple[float, str, str]] = []
    for index, curve in enumerate(section.curves):
        last = next((v for v in reversed(_values(curve.scores)) if v is not None), None)
        if last is not None:
            names.append((last, curve.name[:22], f"s{index}"))
    names.extend((item.value, "bag of tokens", "quiet") for item in _baselines(section))
    control = [v for curve in section.curves for v in _values(curve.controls) if v is not None]
    if control:
        names.append((control[-1], "shuffled labels", "quiet"))
    if section.chance is not None:
        names.append((section.chance, "chance", "quiet"))
    return names


def _hover(section: LayerCurves) -> list[HoverRow]:
    rows: list[HoverRow] = []
    for index, curve in enumerate(section.curves):
        texts = tuple(interval_text(score, 3) for score in curve.scores)
        rows.append(HoverRow(curve.name, f"s{index}", texts, index))
        if curve.controls:
            texts = tuple(interval_text(score, 3) for score in curve.controls)
            rows.append(HoverRow("shuffled labels", "quiet", texts, index))
    for baseline in _baselines(section):
        text = interval_text(baseline, 3)
        rows.append(HoverRow("bag of tokens", "quiet", (text,) * len(section.layers)))
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
