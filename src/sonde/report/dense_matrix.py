"""Square grids of many coloured cells without numbers: one path a colour keeps the page small."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sonde.report import svg

MOST = 30  # rows: more are thinned evenly


@dataclass(frozen=True, slots=True)
class _Box:
    """The sizes of a drawing in pixels."""

    name: str
    width: float
    left: float
    most: float


_BOXES = (_Box("wide", 1040, left=56, most=20), _Box("narrow", 358, left=34, most=20))
_TOP = 36.0
_ACROSS, _DOWN = 26.0, 15.0  # pixels between written names


@dataclass(frozen=True, slots=True)
class DenseGrid:
    """Names of rows and columns alike, the colour's step of each cell, and what the names are."""

    names: tuple[str, ...]
    steps: tuple[tuple[int | None, ...], ...]
    axis: str
    label: str


def thinned(number: int, most: int = MOST) -> tuple[int, ...]:
    """Return the indices that are kept of many: the first, the last and even steps between."""
    if number <= most:
        return tuple(range(number))
    return tuple(sorted({round(at * (number - 1) / (most - 1)) for at in range(most)}))


def dense_drawings(grid: DenseGrid) -> Markup:
    """Draw both sizes."""
    return Markup().join(_drawing(grid, box) for box in _BOXES)


def _drawing(grid: DenseGrid, box: _Box) -> Markup:
    count = len(grid.names)
    side = min(box.most, (box.width - box.left) / count)
    cells = [
        svg.path(drawn, f"b{'x' if step is None else -step}")
        for step, drawn in _squares(grid.steps, box.left, side).items()
    ]
    parts = [svg.text(box.left, 12, grid.axis, "axis"), *cells]
    for at in _written(count, side, _ACROSS):
        middle = box.left + (at + 0.5) * side
        parts.append(svg.text(middle, _TOP - 6, grid.names[at], "tick", "middle"))
    for at in _written(count, side, _DOWN):
        base = _TOP + (at + 0.5) * side + 4
        parts.append(svg.text(box.left - 8, base, grid.names[at], "tick", "end"))
    return svg.grid_chart(grid.label, parts, box.name, (box.width, _TOP + count * side + 4))


def _squares(
    steps: Sequence[Sequence[int | None]], left: float, side: float
) -> dict[int | None, str]:
    """Return a path of all cells for each step."""
    found: dict[int | None, list[str]] = {}
    inner = svg.number(side - 1)
    for row, cells in enumerate(steps):
        for column, step in enumerate(cells):
            x, y = left + column * side, _TOP + row * side
            drawn = f"M{svg.number(x)} {svg.number(y)}h{inner}v{inner}h-{inner}z"
            found.setdefault(step, []).append(drawn)
    return {step: "".join(drawn) for step, drawn in found.items()}


def _written(count: int, side: float, room: float) -> range:
    """Return which names are written, so that each has room."""
    return range(0, count, max(1, math.ceil(room / side)))
