"""Grids of coloured cells with their numbers inside, for wide pages and for phones."""

import math
from dataclasses import dataclass, replace
from textwrap import shorten, wrap

from markupsafe import Markup

from sonde.report import svg
from sonde.report.colours import STEPS

LETTER = 7.2  # pixels, of the labels' font
ROOMY = 34  # pixels for a number of the usual size
NUMBERED = 7  # more columns than that are called by their numbers


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its number, what stands under it, its colour's step, and the pointer's text.

    ``step`` runs from 0 to ``STEPS`` in blue, downwards to ``-STEPS`` in orange; None is hatched.
    ``marked`` cells have a frame.
    """

    text: str
    under: tuple[str, ...] = ()
    step: int | None = 0
    told: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """The sizes of a drawing in pixels."""

    name: str
    width: float
    left: float
    height: float
    most: float
    lines: int


WIDE = Box("wide", 1040, left=170, height=64, most=170, lines=3)
NARROW = Box("narrow", 358, left=112, height=38, most=84, lines=1)


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of cells under named columns; ``down`` and ``across`` say what the names are.

    The last ``apart`` columns are none of ``across``; they always have their name, and a phone has
    no room for them.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    down: str
    across: str
    label: str
    apart: int = 0


def step_of(value: float | None, low: float, middle: float, high: float) -> int | None:
    """Return the colour's step: blue from ``middle`` up to ``high``, orange down to ``low``."""
    if value is None or not math.isfinite(value):
        return None
    reach = high - middle if value >= middle else middle - low
    part = min(1.0, abs(value - middle) / reach) if reach > 0 else 0.0
    step = int(part * STEPS + 0.5)
    return step if value >= middle else -step


def drawings(grid: Grid) -> Markup:
    """Draw both sizes."""
    return _drawing(grid, WIDE) + _drawing(grid, NARROW)


def _drawing(grid: Grid, box: Box) -> Markup:
    if box is NARROW and grid.apart:
        grid = _without_apart(grid)
    columns = len(grid.columns)
    width = min(box.most, (box.width - box.left) / columns)
    numbered = columns > NUMBERED or (box is NARROW and columns > 2)
    heads = [
        _head(name, number if numbered and number <= columns - grid.apart else None, width)
        for number, name in enumerate(grid.columns, 1)
    ]
    top = 24.0 + 16 * max(map(len, heads))
    height = box.height if width >= 80 or box is NARROW else NARROW.height
    parts: list[Markup] = [svg.text(box.left, 14, grid.across, "axis")] if grid.across else []
    parts.append(svg.text(0, top - 8, grid.down, "axis"))
    for column, lines in enumerate(heads):
        middle = box.left + (column + 0.5) * width
        base = top - 8 - 16 * (len(lines) - 1)
        parts += [
            svg.text(middle, base + 16 * at, line, "head", "middle")
            for at, line in enumerate(lines)
        ]
    for row, cells in enumerate(grid.cells):
        up = top + row * height
        parts += _row_name(grid.rows[row], row + 1, numbered, box, up + height / 2)
        for column, cell in enumerate(cells):
            place = (box.left + column * width, up, width, height)
            parts.append(_cell(cell, place, box.lines if width >= 80 else 1))
    whole = top + height * len(grid.cells) + 4
    return svg.grid_chart(grid.label, parts, box.name, (box.width, whole))


def _without_apart(grid: Grid) -> Grid:
    kept = len(grid.columns) - grid.apart
    cells = tuple(row[:kept] for row in grid.cells)
    return replace(grid, columns=grid.columns[:kept], cells=cells, apart=0)


def _head(name: str, number: int | None, width: float) -> list[str]:
    if number is not None:
        return [str(number)]
    lines = wrap(name, max(4, int(width / LETTER)), max_lines=2, placeholder="…")
    return lines or [""]


def _row_name(name: str, number: int, numbered: bool, box: Box, middle: float) -> list[Markup]:
    room = int((box.left - 14) / LETTER)
    said = f"{number} · {name}" if numbered else name
    lines = wrap(said, room, max_lines=2, placeholder="…") or [shorten(said, room)]
    base = middle + 4 - 8 * (len(lines) - 1)
    return [svg.text(0, base + 16 * at, line, "head") for at, line in enumerate(lines)]


def _cell(cell: Cell, place: tuple[float, float, float, float], lines: int) -> Markup:
    left, up, width, height = place
    colour = "bx" if cell.step is None else f"b{-cell.step}"
    under = cell.under[: lines - 1]
    base = up + height / 2 + 4.5 - 8 * len(under)
    middle = left + width / 2
    parts = [
        svg.node(
            "rect", x=left + 1, y=up + 1, width=width - 2, height=height - 2, rx=3, class_=colour
        ),
        svg.text(middle, base, cell.text, "cell" if width >= ROOMY else "cell tight", "middle"),
        *(
            svg.text(middle, base + 16 * at, said, "under", "middle")
            for at, said in enumerate(under, 1)
        ),
    ]
    if cell.marked:
        parts.append(
            svg.node(
                "rect", x=left + 2, y=up + 2, width=width - 4, height=height - 4, rx=3,
                class_="own",
            )
        )  # fmt: skip
    return svg.node("g", svg.node("title", cell.told) if cell.told else "", *parts)
