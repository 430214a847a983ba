"""Sections on vectors: how well they tell responses apart, layer by layer, and their cosines."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sonde.report.dense_matrix import thinned
from sonde.report.sections.cosine_matrix import CosineMatrix
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


def cosines_from(found: "VectorSet", layer: int, why: str = "") -> tuple[CosineMatrix, ...]:
    """Compare the kinds at one layer and each position, and the positions for each method.

    ``why`` says in a sentence why it is this layer.
    """
    here = [one for one in found if one.layer == layer and one.method != RANDOM]
    sections = [
        _matrix(
            [one for one in here if one.position == position],
            [_named(one.kind) for one in here if one.position == position],
            f"block {layer}, {position}",
            f"Cosines between kinds at {position}",
            why,
        )
        for position in found.positions
    ]
    if len(found.positions) > 1:
        windows = [one for one in here if one.cleaning == "none"]
        names = [f"{_named(one.kind)} {one.position.removesuffix('.mean')}" for one in windows]
        sections.append(_matrix(windows, names, f"block {layer}", "Cosines between windows", why))
    return tuple(one for one in sections if one is not None)


def layer_cosines_from(found: "VectorSet") -> tuple[CosineMatrix, ...]:
    """Compare the blocks' directions with each other, of the first kind at the first position.

    Of more than thirty blocks, even steps are drawn. Vectors at several sites are those of the
    first of them.
    """
    first = next((one for one in found if one.method != RANDOM), None)
    if first is None:
        return ()
    alike = [
        one
        for one in found
        if (one.kind, one.position, one.hook.site) == (first.kind, first.position, first.hook.site)
    ]
    alike.sort(key=lambda one: one.layer)
    kept = [alike[at] for at in thinned(len(alike))]
    kind = _named(first.kind)
    note = f"Of {kind} at {first.position}, the first kind and window; others may turn elsewhere."
    if len(kept) < len(alike):
        note += f" {len(kept)} of {len(alike)} blocks."
    names = [f"block {one.layer}" for one in kept]
    drawn = _matrix(kept, names, f"{kind} {first.position}", "Cosines between blocks", note)
    if drawn is None:
        return ()
    return (replace(drawn, short=tuple(str(one.layer) for one in kept), axis="block"),)


def model_cosines_from(sets: "Mapping[str, VectorSet]", layer: int) -> tuple[CosineMatrix, ...]:
    """Compare vectors of several models, by the names of their stages, at one block and position.

    The kinds are those that all sets have at the first set's first position; the widths are one.
    """
    position = next(iter(sets.values())).positions[0]
    here = {
        name: {
            one.kind: one
            for one in found
            if (one.layer, one.position) == (layer, position) and one.method != RANDOM
        }
        for name, found in sets.items()
    }
    shared = [
        kind for kind in next(iter(here.values())) if all(kind in kinds for kinds in here.values())
    ]
    several = [(name, kind) for kind in shared for name in here]
    vectors = [here[name][kind] for name, kind in several]
    if not vectors or len({one.d_model for one in vectors}) > 1:
        return ()
    names = [f"{_named(kind)}, {name}" for name, kind in several]
    note = "Each kind of each stage, whose models differ, at the same block and window."
    drawn = _matrix(vectors, names, f"block {layer}, {position}", "Cosines between models", note)
    return () if drawn is None else (drawn,)


def _matrix(
    vectors: "list[Vector]", names: list[str], place: str, title: str, note: str
) -> CosineMatrix | None:
    from sonde.vectors.cosines import cosine_matrix

    if len(vectors) < 2:
        return None
    rows = tuple(
        tuple(value if math.isfinite(value) else math.nan for value in row)
        for row in cosine_matrix(vectors, vectors).tolist()
    )
    return CosineMatrix(tuple(names), rows, place, note, title)


def _named(kind: str) -> str:
    return kind.replace("_", " ").replace("/", ", ")
