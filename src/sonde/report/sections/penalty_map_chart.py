"""The drawing of scores by layer and penalty: one cell each, a dot on the best of a layer."""

import math
from typing import TYPE_CHECKING

from markupsafe import Markup

from sonde.core.words import power
from sonde.report import charts, svg
from sonde.report.colours import STEPS
from sonde.report.matrix import step_of
from sonde.report.wording import figure

if TYPE_CHECKING:
    from sonde.report.sections.penalty_map import PenaltyMap

ROW = 26.0


def chart_of(section: "PenaltyMap") -> charts.Chart:
    """Draw the section; the penalties rise upwards."""
    height = ROW * len(section.penalties) + 46
    wide = charts.Size("wide", 1040, height, left=58, right=2, top=6, bottom=40, labels=30)
    narrow = charts.Size("narrow", 358, height, left=46, right=2, top=6, bottom=40, labels=8)
    finite = [value for row in section.scores for value in row if value is not None]
    finite = [value for value in finite if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)

    def draw(each: charts.Frame) -> Markup:
        return Markup().join([_cells(section, each, low, high), _names(section, each)])

    label = f"{section.metric} by block and penalty, from {figure(low)} to {figure(high)}"
    rows = [
        charts.HoverRow(f"penalty {power(penalty)}", "", tuple(figure(v, 3) for v in scores))
        for penalty, scores in reversed(list(zip(section.penalties, section.scores, strict=True)))
    ]
    frames = [_frame(section, size) for size in (wide, narrow)]
    return charts.chart(draw, frames, label, charts.by_layer(section.layers, rows))


def _frame(section: "PenaltyMap", size: charts.Size) -> charts.Frame:
    """Give every layer a column of the same width, whatever lies between them."""
    width = (size.width - size.left - size.right) / len(section.layers)
    xs = tuple(size.left + (at + 0.5) * width for at in range(len(section.layers)))
    y = svg.Scale(0, len(section.penalties), size.height - size.bottom, size.top)
    return charts.Frame(size, xs, y)


def _cells(section: "PenaltyMap", each: charts.Frame, low: float, high: float) -> Markup:
    width = (each.right - each.left) / len(section.layers)
    gap = 1.0 if width > 8 else 0.0
    parts: list[Markup] = []
    for number, row in enumerate(section.scores):
        for at, value in enumerate(row):
            step = step_of(value, low - 1, low, high) if high > low else STEPS // 2
            style = "bx" if value is None or step is None else f"b{-step}"
            parts.append(
                svg.node(
                    "rect",
                    x=each.xs[at] - width / 2,
                    y=each.y(number + 1),
                    width=width - gap,
                    height=ROW - gap,
                    class_=style,
                )
            )
    for at in range(len(section.layers)):
        best = section.best_at(at)
        if best is not None:
            style = "best-all" if (at, best) == section.best else "best-here"
            centre = each.y(best + 0.5)
            radius = min(width / 2 - 1, 6.0 if style == "best-all" else 2.4)
            parts.append(
                svg.node("circle", cx=each.xs[at] - gap / 2, cy=centre, r=radius, class_=style)
            )
    return svg.node("g", *parts, class_="cells")


def _names(section: "PenaltyMap", each: charts.Frame) -> Markup:
    parts = [
        svg.text(each.left - 8, each.y(number + 0.5) + 4, power(penalty), "tick", "end")
        for number, penalty in enumerate(section.penalties)
    ]
    for at in charts.shown_layers(len(section.layers), each.size.labels):
        said = str(section.layers[at])
        parts.append(svg.text(each.xs[at], each.floor + 18, said, "tick", "middle"))
    middle = (each.left + each.right) / 2
    parts.append(svg.text(middle, each.size.height - 4, "block", "axis", "middle"))
    return svg.node("g", *parts, class_="axes")
