"""Sections on vectors: how well they tell responses apart, layer by layer, and their cosines."""

import math
from typing import TYPE_CHECKING

from sonde.report.sections.cosine_matrix import DRAWN, CosineMatrix
from sonde.report.sections.layer_curves import COLOURS, Curve, LayerCurves

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.vectors.vector import Vector
    from sonde.vectors.vector_set import VectorSet

SPREAD = "cohens_d"
RANDOM = "random"


def separation_from(found: "VectorSet") -> tuple[LayerCurves, ...]:
    """Draw Cohen's d on held-out rows by layer, a chart for each position, uncleaned vectors."""
    sections: list[LayerCurves] = []
    layers = found.layers
    for position in found.positions:
        curves: list[Curve] = []
        for method in found.methods:
            scores = {
                one.layer: one.metrics[SPREAD]
                for one in found
                if (one.kind, one.position) == (method, position) and SPREAD in one.metrics
            }
            if scores:
                curves.append(Curve(_named(method), tuple(scores.get(layer) for layer in layers)))
        if curves:
            sections.append(
                LayerCurves(
                    layers=layers,
                    curves=tuple(curves[:COLOURS]),
                    metric="Cohen's d",
                    chance=0.0,
                    title=f"Held-out separation at {position}",
                )
            )
    return tuple(sections)


def cosines_from(found: "VectorSet", layer: int) -> tuple[CosineMatrix, ...]:
    """Compare the kinds at one layer and each position, and the positions for each method."""
    here = [one for one in found if one.layer == layer and one.method != RANDOM]
    sections = [
        _matrix(
            [one for one in here if one.position == position],
            [_named(one.kind) for one in here if one.position == position],
            f"block {layer}, {position}",
            f"Cosines between kinds at {position}",
        )
        for position in found.positions
    ]
    if len(found.positions) > 1:
        windows = [one for one in here if one.cleaning == "none"]
        names = [f"{_named(one.kind)} {one.position.removesuffix('.mean')}" for one in windows]
        sections.append(_matrix(windows, names, f"block {layer}", "Cosines between windows"))
    return tuple(one for one in sections if one is not None)


def _matrix(
    vectors: "list[Vector]", names: list[str], place: str, title: str
) -> CosineMatrix | None:
    from sonde.vectors.cosines import cosine_matrix

    if len(vectors) < 2:
        return None
    found = cosine_matrix(vectors, vectors)
    note = "" if len(vectors) <= DRAWN else f"{len(vectors)} are too many to draw."
    rows = tuple(
        tuple(value if math.isfinite(value) else math.nan for value in row)
        for row in found.tolist()
    )
    return CosineMatrix(tuple(names), rows, place, note, title)


def _named(kind: str) -> str:
    return kind.replace("_", " ").replace("/", ", ")
