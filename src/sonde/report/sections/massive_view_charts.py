"""The drawings of massive dimensions: one small chart a dimension, and the norms by layer."""

from typing import TYPE_CHECKING

from markupsafe import Markup

from sonde.report import svg
from sonde.report.charts import (
    NARROW_LOW,
    SMALL,
    WIDE_LOW,
    Chart,
    Frame,
    HoverRow,
    axes,
    chart,
    frame,
    named_at_end,
)
from sonde.report.wording import magnitude

if TYPE_CHECKING:
    from sonde.report.sections.massive_view import Coordinate, MassiveView


def small_chart(section: "MassiveView", item: "Coordinate", top: float) -> Chart:
    """Draw one dimension's ratio by layer, on the scale that all share."""

    def draw(each: Frame) -> Markup:
        area = svg.band(each.xs, [each.y.low] * len(each.xs), item.ratios, each.y)
        return Markup().join(
            [
                axes(each, section.layers, lambda value: f"{value:,.0f}×", "", ticks=3),
                svg.rule(each.left, each.right, each.y(section.ratio), "limit"),
                svg.rule(each.left, each.right, each.y(section.severe), "limit severe"),
                svg.path(area, "area"),
                svg.path(svg.line(each.xs, item.ratios, each.y), "line"),
            ]
        )

    _, peak = item.peak
    label = f"Dimension {item.index}: up to {magnitude(peak)} times the median"
    texts = tuple(f"{magnitude(ratio)}×" for ratio in item.ratios)
    low_high = (1.0, max(top, section.severe) * 1.3)
    return chart(
        draw,
        [frame(SMALL, section.layers, low_high, log=True)],
        label,
        (section.layers, [HoverRow(f"dimension {item.index}", "s1", texts)]),
    )


def norm_lines(section: "MassiveView") -> list[tuple[str, str, tuple[float | None, ...]]]:
    """Return the name, colour and values of each norm that was measured."""
    lines = [
        ("typical norm", "s0", section.typical_norm),
        ("full norm", "s1", section.full_norm),
    ]
    if any(value is not None for value in section.sink_norm):
        lines.append(("attention sinks", "s2", section.sink_norm))
    return lines


def norms_chart(section: "MassiveView") -> Chart:
    """Draw the norms by layer."""
    lines = norm_lines(section)
    values = [value for _, _, line in lines for value in line]
    low_high = svg.log_bounds(values)

    def draw(each: Frame) -> Markup:
        drawn = [
            svg.node(
                "g",
                svg.path(svg.line(each.xs, line, each.y), "line"),
                class_=f"series {style}",
                data_series=style,
            )
            for _, style, line in lines
        ]
        ends = [
            (known[-1], name, style)
            for name, style, line in lines
            if (known := [value for value in line if value is not None and value > 0])
        ]
        grid = axes(each, section.layers, _short, "block")
        return Markup().join([grid, *drawn, named_at_end(each, ends)])

    rows = [
        HoverRow(name, style, tuple(magnitude(value) for value in line))
        for name, style, line in lines
    ]
    frames = [frame(size, section.layers, low_high, log=True) for size in (WIDE_LOW, NARROW_LOW)]
    return chart(draw, frames, "Norms by block, logarithmic", (section.layers, rows))


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
