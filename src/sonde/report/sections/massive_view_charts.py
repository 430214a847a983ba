"""The drawings of massive dimensions: one small chart a dimension, and the norms by layer."""

from typing import TYPE_CHECKING

from markupsafe import Markup

from sonde.report import charts, svg
from sonde.report.wording import magnitude

if TYPE_CHECKING:
    from sonde.report.sections.massive_view import Coordinate, MassiveView


def small_chart(section: "MassiveView", item: "Coordinate", top: float) -> charts.Chart:
    """Draw one dimension's ratio by layer, on the scale that all share."""

    def draw(each: charts.Frame) -> Markup:
        area = svg.band(each.xs, [each.y.low] * len(each.xs), item.ratios, each.y)
        return Markup().join(
            [
                charts.axes(each, section.layers, lambda value: f"{value:,.0f}×", "", ticks=3),
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
    return charts.chart(
        draw,
        [charts.frame(charts.SMALL, section.layers, low_high, log=True)],
        label,
        charts.by_layer(section.layers, [charts.HoverRow(f"dimension {item.index}", "s1", texts)]),
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


def norms_chart(section: "MassiveView") -> charts.Chart:
    """Draw the norms by layer."""
    lines = norm_lines(section)
    values = [value for _, _, line in lines for value in line]
    low_high = svg.log_bounds(values)

    def draw(each: charts.Frame) -> Markup:
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
        grid = charts.axes(each, section.layers, _short, "block")
        return Markup().join([grid, *drawn, charts.named_at_end(each, ends)])

    rows = [
        charts.HoverRow(name, style, tuple(magnitude(value) for value in line))
        for name, style, line in lines
    ]
    sizes = (charts.WIDE_LOW, charts.NARROW_LOW)
    frames = [charts.frame(size, section.layers, low_high, log=True) for size in sizes]
    label = "Norms by block, logarithmic"
    return charts.chart(draw, frames, label, charts.by_layer(section.layers, rows))


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
