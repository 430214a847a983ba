"""Which vectors of a set a file for another tool is made of: one a layer, and never by accident.

A set holds a vector for each method, cleaning, position and layer. All layers of a kind at once are
many times as strong as one, so whoever wants them says so.
"""

from collections.abc import Sequence

from sonde.core.errors import SondeError
from sonde.core.words import in_words
from sonde.vectors.exports.settings import Selection
from sonde.vectors.vector import Vector
from sonde.vectors.vector_set import VectorSet

SPREAD = "cohens_d"


def chosen_for_export(vectors: VectorSet, selection: Selection) -> VectorSet:
    """Return the vectors that a selection means, one a layer.

    Raises:
        SondeError: none fits, one of the layers has none, several fit at a layer, or there are
            several layers and none was named; what there is, is said.
    """
    layer = selection.layer
    numbers = None if layer is None or isinstance(layer, str) else layer
    found = vectors.select(selection.method, numbers, selection.position, selection.cleaning)
    absent = [one for one in numbers or () if one not in found.layers]
    if absent:
        raise SondeError(
            f"No vector lies at layer {in_words(absent)} with {selection}.",
            fix=f"There are some at layers {in_words(found.layers)}.",
        )
    made = dict.fromkeys((one.kind, one.position, one.hook.site) for one in found)
    if len(made) > 1:
        raise _several(found, selection)
    if layer is None and len(found) > 1:
        best = best_layer(tuple(found))
        hint = "" if best is None else f" layer=best is layer {best.layer}."
        raise SondeError(
            f"{len(found)} vectors fit, at layers {in_words(found.layers)}; all of them together "
            "steer many times as strongly as one.",
            fix=f"Name the layer: layer=15, several, best, or all.{hint}",
        )
    if layer == "best":
        best = best_layer(tuple(found))
        if best is None:
            raise SondeError(
                f"None of the {len(found)} vectors was scored, so no layer is the best.",
                fix=f"Name the layer: there are {in_words(found.layers)}.",
            )
        return VectorSet((best,))
    return VectorSet(found.vectors)


def best_layer(vectors: Sequence[Vector]) -> Vector | None:
    """Return the vector that tells held-out rows apart best, by Cohen's d; None if none did."""
    scored = [one for one in vectors if SPREAD in one.metrics]
    known = [one for one in scored if one.metrics[SPREAD].value == one.metrics[SPREAD].value]
    return max(known, key=lambda one: one.metrics[SPREAD].value, default=None)


def _several(found: VectorSet, selection: Selection) -> SondeError:
    """Name what differs between the vectors, and what would leave one a layer."""
    differs = {
        "method": found.methods,
        "cleaning": found.cleanings,
        "position": found.positions,
    }
    open_ = {name: values for name, values in differs.items() if len(values) > 1}
    if not open_:
        hooks = dict.fromkeys(str(one.hook.site) for one in found)
        return SondeError(
            f"The vectors that fit lie at {in_words(list(hooks))}.",
            fix="Other tools add to what a block returns: make vectors of resid_post alone.",
        )
    there = "; ".join(f"{name} {in_words(values)}" for name, values in open_.items())
    which = f" with {selection}" if str(selection) else ""
    return SondeError(
        f"{len(found)} vectors fit{which}, several at a layer, and a file has one a layer.",
        fix=f"Say which: {there}.",
    )
