"""Cosines between directions: which methods, windows and cleanings found the same one."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from markupsafe import Markup

from sonde.core.errors import SondeError
from sonde.report.colours import STEPS
from sonde.report.dense_matrix import DenseGrid, dense_drawings
from sonde.report.matrix import Cell, Grid, drawings, step_of
from sonde.report.wording import figure

DRAWN = 12  # more directions are in the table only
_UNDRAWN = f"More than {DRAWN} are not drawn: all cosines are in the table."


@dataclass(frozen=True, slots=True)
class CosineMatrix:
    """Cosines ``[name][name]`` between directions at one place; NaN where one has no length.

    ``short`` are short names such as the numbers of blocks, under ``axis``: with them any number of
    directions is drawn, in small cells without numbers.
    """

    names: tuple[str, ...]
    cosines: tuple[tuple[float, ...], ...]
    place: str = ""
    note: str = ""
    title: str = "Cosines between vectors"
    short: tuple[str, ...] = ()
    axis: str = ""
    kind: ClassVar[str] = "cosine_matrix"

    def __post_init__(self) -> None:
        wanted = len(self.names)
        if wanted < 2 or [len(row) for row in self.cosines] != [wanted] * wanted:
            raise SondeError(
                f"Cosines of {wanted} vectors have rows of {[len(row) for row in self.cosines]}.",
                fix="Give a square matrix of two vectors at least.",
            )
        assert len(self.short) in (0, wanted), self.short


def prepare(section: CosineMatrix) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "sentence": sentence(section),
        "drawings": _drawn(section),
        "undrawn": "" if len(section.names) <= DRAWN or section.short else _UNDRAWN,
        "header": ["Vector", *section.names],
        "rows": [
            [name, *(figure(value, 3) for value in row)]
            for name, row in zip(section.names, section.cosines, strict=True)
        ],
        "steps": range(STEPS + 1),
    }


def _drawn(section: CosineMatrix) -> Markup:
    if len(section.names) <= DRAWN:
        return drawings(_grid(section))
    if not section.short:
        return Markup()
    steps = tuple(tuple(step_of(value, -1.0, 0.0, 1.0) for value in row) for row in section.cosines)
    return dense_drawings(DenseGrid(section.short, steps, section.axis, sentence(section)))


def _grid(section: CosineMatrix) -> Grid:
    cells = tuple(
        tuple(
            Cell(
                figure(value),
                (),
                step_of(value, -1.0, 0.0, 1.0),
                f"{name} and {other}: {figure(value, 3)}",
                name == other,
            )
            for other, value in zip(section.names, row, strict=True)
        )
        for name, row in zip(section.names, section.cosines, strict=True)
    )
    return Grid(section.names, section.names, cells, "", "", sentence(section))


def sentence(section: CosineMatrix) -> str:
    """Name the most alike and the least alike pair."""
    pairs = [
        (section.cosines[row][column], section.names[row], section.names[column])
        for row in range(len(section.names))
        for column in range(row)
        if math.isfinite(section.cosines[row][column])
    ]
    if not pairs:
        return "No two vectors have a length, so there is no cosine."
    high, low = max(pairs), min(pairs)
    place = f" at {section.place}" if section.place else ""
    said = f"Most alike{place} are {high[2]} and {high[1]}, with a cosine of {figure(high[0])}"
    if high == low:
        return f"{said}."
    return f"{said}; least alike {low[2]} and {low[1]}, {figure(low[0])}."
