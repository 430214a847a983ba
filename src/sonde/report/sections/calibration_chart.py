"""The reliability diagram: predicted across, observed up, and below the number of rows."""

from typing import TYPE_CHECKING

from markupsafe import Markup

from sonde.report import charts, svg
from sonde.report.wording import MISSING, count, figure, interval_text

if TYPE_CHECKING:
    from sonde.report.sections.calibration import Bin, Calibration

SIZES = (
    charts.Size("wide", 560, 500, left=44, right=10, bottom=132),
    charts.Size("narrow", 358, 400, left=36, right=6, bottom=118),
)
COUNTS = 64.0  # the height of the rows' bars


def chart_of(section: "Calibration") -> charts.Chart:
    """Draw the section; the columns are the bins of the first curve."""
    bins = section.curves[0].bins

    def draw(each: charts.Frame) -> Markup:
        x = svg.Scale(0, 1, each.left, each.right)
        return Markup().join(
            [
                _axes(each, x, section.positive),
                *[_curve(section, number, each, x) for number in range(len(section.curves))],
                _counts(bins, each, x),
            ]
        )

    frames = [_frame(size, bins) for size in SIZES]
    heads = tuple(f"{figure(one.low)} to {figure(one.high)}" for one in bins)
    label = "Observed share against predicted probability, by bins"
    return charts.chart(draw, frames, label, charts.Hover(heads, tuple(_hover(section))))


def _frame(size: charts.Size, bins: "tuple[Bin, ...]") -> charts.Frame:
    x = svg.Scale(0, 1, size.left, size.width - size.right)
    y = svg.Scale(0, 1, size.height - size.bottom, size.top)
    return charts.Frame(size, tuple(x((one.low + one.high) / 2) for one in bins), y)


def _axes(each: charts.Frame, x: svg.Scale, positive: str) -> Markup:
    parts: list[Markup] = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(svg.rule(each.left, each.right, each.y(value), "grid"))
        parts.append(svg.text(each.left - 8, each.y(value) + 4, figure(value), "tick", "end"))
        anchor = "end" if value == 1 else "start" if value == 0 else "middle"
        parts.append(svg.text(x(value), each.floor + 18, figure(value), "tick", anchor))
    parts.append(svg.node("line", x1=x(0), y1=each.y(0), x2=x(1), y2=each.y(1), class_="diagonal"))
    said = f"predicted probability{f' of {positive}' if positive else ''}"
    parts.append(svg.text((each.left + each.right) / 2, each.floor + 36, said, "axis", "middle"))
    return svg.node("g", *parts, class_="axes")


def _curve(section: "Calibration", number: int, each: charts.Frame, x: svg.Scale) -> Markup:
    from sonde.report.sections.calibration import known

    found = known(section.curves[number])
    shift = 0 if len(section.curves) == 1 else (number - 0.5) * 5
    xs = [x(predicted) + shift for _, predicted, _ in found]
    parts = [
        svg.path(svg.line(xs, [observed.value for _, _, observed in found], each.y), "line thin")
    ]
    for at, (_, _, observed) in zip(xs, found, strict=True):
        ends = (each.y(observed.low), each.y(observed.high))
        parts.append(svg.node("line", x1=at, x2=at, y1=ends[0], y2=ends[1], class_="reach"))
        parts.append(svg.node("circle", cx=at, cy=each.y(observed.value), r=4.5, class_="best"))
    return svg.node("g", *parts, class_=f"series s{number}", data_series=f"s{number}")


def _counts(bins: "tuple[Bin, ...]", each: charts.Frame, x: svg.Scale) -> Markup:
    """Draw a histogram on the drawing's lower edge: a bar's area is its number of rows."""
    density = {one: one.n / max(one.high - one.low, 1e-9) for one in bins}
    most = max(density.values(), default=0.0)
    base = each.size.height - 2
    height = svg.Scale(0, most or 1, 0, COUNTS - 18)
    parts = [
        svg.node(
            "rect",
            x=x(one.low) + 0.5,
            y=base - height(density[one]),
            width=max(1.0, x(one.high) - x(one.low) - 1),
            height=height(density[one]),
            class_="rows",
        )
        for one in bins
    ]
    said = f"{count(sum(one.n for one in bins))} rows"
    parts.append(svg.text(each.left, base - COUNTS + 12, said, "tick"))
    return svg.node("g", *parts, class_="counts")


def _hover(section: "Calibration") -> list[charts.HoverRow]:
    """Tell the bins of the first curve, and beside each the same bin of the second.

    The bins of the second have edges of their own where they hold equal numbers of rows.
    """
    first = section.curves[0].bins
    rows: list[charts.HoverRow] = []
    for number, curve in enumerate(section.curves):
        name = f"{curve.name}: " if len(section.curves) > 1 else ""
        bins = [*curve.bins[: len(first)], *[None] * (len(first) - len(curve.bins))]
        told = [_told(one, number > 0) for one in bins]
        for what, style, at in (("predicted", "quiet", 0), ("observed", f"s{number}", 1)):
            texts = tuple(one[at] for one in told)
            rows.append(charts.HoverRow(f"{name}{what}", style, texts, number))
        rows.append(charts.HoverRow(f"{name}rows", "quiet", tuple(one[2] for one in told)))
    return rows


def _told(one: "Bin | None", edges: bool) -> tuple[str, str, str]:
    if one is None:
        return MISSING, MISSING, MISSING
    within = f" ({figure(one.low)} to {figure(one.high)})" if edges else ""
    return figure(one.predicted, 3) + within, interval_text(one.observed, 3), count(one.n)
