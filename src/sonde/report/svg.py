"""Small SVG charts drawn on the server: escaped elements, scales, axes, lines and bands."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from markupsafe import Markup, escape

Attribute: TypeAlias = str | float | None
Value: TypeAlias = float | None


def grid_chart(label: str, parts: Sequence[Markup], box: str, size: tuple[float, float]) -> Markup:
    """Return the picture of a grid, named for readers of screens; ``size`` is width and height."""
    return node(
        "svg",
        node("title", label),
        *parts,
        class_=f"chart grid-chart {box}",
        viewBox=f"0 0 {number(size[0])} {number(size[1])}",
        role="img",
    )


def node(tag: str, *children: str | Markup, **attributes: Attribute) -> Markup:
    """Return one element; text and attributes are escaped, ``class_`` and ``_`` become ``-``."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = Markup().join(escape(child) for child in children)
    return Markup(f"<{tag}{written}>{inside}</{tag}>")  # noqa: S704  (parts are escaped above)


def _plain(value: Attribute) -> str:
    if isinstance(value, int | float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value)


def number(value: float) -> str:
    """Write a coordinate to a tenth of a unit."""
    return _plain(float(value))


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic map from values to pixels; what lies outside is held at the edge."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high, at = self.low, self.high, min(self.high, max(self.low, value))
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        part = (at - low) / (high - low) if high > low else 0.5
        return self.start + part * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> tuple[float, ...]:
        """Return round values inside the range, about as many as wanted."""
        if self.log:
            return _powers(self.low, self.high, wanted)
        return _round_values(self.low, self.high, wanted)


def _powers(low: float, high: float, wanted: int) -> tuple[float, ...]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max(1, math.ceil((last - first) / wanted))
    return tuple(10.0**power for power in range(first, last + 1, step))


def _round_values(low: float, high: float, wanted: int) -> tuple[float, ...]:
    raw = (high - low) / max(1, wanted)
    if raw <= 0 or not math.isfinite(raw):
        return (low,)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(index * step, 10) for index in range(first, last + 1))


def bounds(values: Sequence[Value], pad: float = 0.06) -> tuple[float, float]:
    """Return the finite range of the values with some room; ``(0, 1)`` where there is none."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    room = (high - low) * pad or 0.5
    return low - room, high + room


def log_bounds(values: Sequence[Value]) -> tuple[float, float]:
    """Return a logarithmic range that holds every positive finite value; ``(1, 10)`` for none."""
    finite = [value for value in values if value is not None and 0 < value < math.inf]
    if not finite:
        return 1.0, 10.0
    return min(finite) * 0.8, max(finite) * 1.35


def line(xs: Sequence[float], ys: Sequence[Value], y: Scale) -> str:
    """Return the path through the points; it is interrupted where a value is missing."""
    path, pen = [], "M"
    for at, value in zip(xs, ys, strict=True):
        if value is None or not math.isfinite(value):
            pen = "M"
            continue
        path.append(f"{pen}{number(at)} {number(y(value))}")
        pen = "L"
    return "".join(path)


def band(xs: Sequence[float], lows: Sequence[Value], highs: Sequence[Value], y: Scale) -> str:
    """Return the path around an interval, in pieces where a bound is missing."""
    pieces: list[str] = []
    run: list[tuple[float, float, float]] = []
    for at, low, high in [*zip(xs, lows, highs, strict=True), (0.0, None, None)]:
        if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
            run.append((at, low, high))
            continue
        if run:
            upper = [f"{number(x)} {number(y(top))}" for x, _, top in run]
            lower = [f"{number(x)} {number(y(bottom))}" for x, bottom, _ in reversed(run)]
            pieces.append(f"M{'L'.join([*upper, *lower])}Z")
        run = []
    return "".join(pieces)


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels apart to at least ``gap``, as little as a pass down and a pass up allow."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = list(wanted)
    edge = low - gap
    for index in order:
        placed[index] = edge = max(placed[index], edge + gap)
    edge = high + gap
    for index in reversed(order):
        placed[index] = edge = min(placed[index], edge - gap)
    return placed


def path(drawn: str, class_: str) -> Markup:
    """Return a path element, or nothing for an empty path."""
    return node("path", d=drawn, class_=class_) if drawn else Markup()


def text(at: float, height: float, said: str, class_: str, anchor: str = "start") -> Markup:
    """Return a text element."""
    return node("text", said, x=at, y=height, class_=class_, text_anchor=anchor)


def rule(left: float, right: float, height: float, class_: str) -> Markup:
    """Return a horizontal line."""
    return node("line", x1=left, x2=right, y1=height, y2=height, class_=class_)
