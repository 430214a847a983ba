"""Charts over columns, mostly layers: two sizes of a drawing, axes, what a pointer shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from sonde.report import svg
from sonde.report.island import island


@dataclass(frozen=True, slots=True)
class Size:
    """The drawing's box and margins in pixels; text keeps its size, so a phone has its own box."""

    name: str
    width: float
    height: float
    left: float
    right: float
    top: float = 14
    bottom: float = 40
    labels: int = 16


WIDE = Size("wide", 1040, 400, left=46, right=150)
NARROW = Size("narrow", 358, 290, left=36, right=8, labels=8)
WIDE_LOW = replace(WIDE, height=290)
NARROW_LOW = replace(NARROW, height=240)
SMALL = Size("small", 240, 128, left=34, right=4, top=10, bottom=22, labels=4)


@dataclass(frozen=True, slots=True)
class Frame:
    """A size with its scales and the pixel of each layer."""

    size: Size
    xs: tuple[float, ...]
    y: svg.Scale

    @property
    def left(self) -> float:
        """The left edge of the plotting area."""
        return self.size.left

    @property
    def right(self) -> float:
        """The right edge of the plotting area."""
        return self.size.width - self.size.right

    @property
    def floor(self) -> float:
        """The lower edge of the plotting area."""
        return self.size.height - self.size.bottom


def frame(
    size: Size, layers: Sequence[int], low_high: tuple[float, float], *, log: bool = False
) -> Frame:
    """Place layers along the width and values along the height."""
    first, last = layers[0], layers[-1]
    inset = 8.0
    x = svg.Scale(first, last, size.left + inset, size.width - size.right - inset)
    y = svg.Scale(*low_high, size.height - size.bottom, size.top, log=log)
    return Frame(size, tuple(x(layer) for layer in layers), y)


@dataclass(frozen=True, slots=True)
class HoverRow:
    """A line of the tooltip: its name, colour class, a text per column, and its series."""

    name: str
    style: str
    texts: tuple[str, ...]
    series: int | None = None


@dataclass(frozen=True, slots=True)
class Hover:
    """The tooltips of a chart's columns: a head and a line of every row for each.

    ``layers`` are the layers of the columns, which select those of the texts below; empty where
    columns are something else.
    """

    heads: tuple[str, ...]
    rows: tuple[HoverRow, ...]
    layers: tuple[int, ...] = ()


def by_layer(layers: Sequence[int], rows: Sequence[HoverRow]) -> Hover:
    """Return the tooltips of a chart whose columns are layers."""
    return Hover(tuple(f"block {layer}" for layer in layers), tuple(rows), tuple(layers))


@dataclass(frozen=True, slots=True)
class Chart:
    """Both drawings of a chart and the data island for its tooltips."""

    drawings: Markup
    data: Markup


def chart(
    draw: Callable[[Frame], Markup], frames: Sequence[Frame], label: str, hover: Hover
) -> Chart:
    """Draw once a size; ``hover`` is what a pointer is told."""
    drawings = Markup().join(_drawing(draw(each), each, label) for each in frames)
    data = {
        "heads": list(hover.heads),
        "layers": list(hover.layers),
        "rows": [
            {"name": row.name, "style": row.style, "texts": list(row.texts), "series": row.series}
            for row in hover.rows
        ],
    }
    return Chart(drawings, island(data))


def _drawing(inside: Markup, each: Frame, label: str) -> Markup:
    size = each.size
    return svg.node(
        "svg",
        svg.node("title", label),
        inside,
        class_=f"chart {size.name}",
        viewBox=f"0 0 {svg.number(size.width)} {svg.number(size.height)}",
        role="img",
        data_x=" ".join(svg.number(at) for at in each.xs),
        data_top=size.top,
        data_floor=each.floor,
    )


def axes(
    each: Frame, layers: Sequence[int], say: Callable[[float], str], name: str, ticks: int = 7
) -> Markup:
    """Draw the grid, the values on the left and the layer numbers below."""
    parts: list[Markup] = []
    for value in each.y.ticks(ticks):
        height = each.y(value)
        parts.append(svg.rule(each.left, each.right, height, "grid"))
        parts.append(svg.text(each.left - 8, height + 4, say(value), "tick", "end"))
    for index in shown_layers(len(layers), each.size.labels):
        at = each.xs[index]
        parts.append(svg.text(at, each.floor + 18, str(layers[index]), "tick", "middle"))
    if name:
        middle = (each.left + each.right) / 2
        parts.append(svg.text(middle, each.size.height - 4, name, "axis", "middle"))
    return svg.node("g", *parts, class_="axes")


def shown_layers(number: int, wanted: int) -> tuple[int, ...]:
    """Return the indices to write below: the first, the last and even steps between."""
    step = next((step for step in (1, 2, 3, 4, 5, 8, 10, 16, 20) if number / step <= wanted), 25)
    inner = [index for index in range(0, number, step) if number - 1 - index >= step * 0.75]
    return (*inner, number - 1)


def named_at_end(each: Frame, names: Sequence[tuple[float, str, str]], gap: float = 16) -> Markup:
    """Write names beside the values where the lines end: ``(value, name, class)``; wide only."""
    if each.size.right < 100 or not names:
        return Markup()
    wanted = [each.y(value) + 4 for value, _, _ in names]
    heights = svg.spread(wanted, gap, each.size.top + 8, each.floor + 4)
    parts = [
        svg.text(each.right + 12, height, name, f"name {style}")
        for height, (_, name, style) in zip(heights, names, strict=True)
    ]
    return svg.node("g", *parts)
