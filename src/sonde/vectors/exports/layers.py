"""What other tools take: one array a layer, in a unit that is said."""

import hashlib
from collections.abc import Iterable, Mapping
from math import isfinite

import numpy as np
from jaxtyping import Float32

from sonde.core.errors import SondeError
from sonde.core.hooks import Site
from sonde.vectors.exports.settings import ExportUnit
from sonde.vectors.vector import Number, Vector


def by_layer(
    vectors: Iterable[Vector], unit: ExportUnit, coefficient: Number
) -> dict[int, Float32[np.ndarray, " d_model"]]:
    """Return one array for each block, to be added to what the block returns.

    ``raw``: coefficient * typical norm * direction, so that the tool's scale 1 is that coefficient
    and its scale counts multiples of it. ``unit_length``: the direction, so that the tool's scale
    is in the activations' own unit.

    Raises:
        SondeError: there is no vector, two lie at one layer, a vector is of a site other than
            ``resid_post``, they are of different models, a typical norm is needed and unknown, or
            the coefficient is 0, not finite, or beyond what the file's float32 can hold.
    """
    if not isfinite(coefficient) or coefficient == 0:
        raise SondeError(
            f"A coefficient of {coefficient:g} adds nothing, or no number.",
            fix="Give one in units of the typical norm; most useful ones lie near 1.",
        )
    found: dict[int, np.ndarray] = {}
    models: set[tuple[str, str]] = set()
    for one in vectors:
        if one.hook.site is not Site.RESID_POST:
            raise SondeError(
                f"{one.name} lies at {one.hook.site}; other tools add to what a block returns.",
                fix="Export vectors of resid_post.",
            )
        if one.layer in found:
            raise SondeError(
                f"Two vectors lie at layer {one.layer}; a file has one a layer.",
                fix="Select one method, cleaning and position first: vectors.select(…).",
            )
        models.add((one.origin.model, one.origin.model_fingerprint))
        if unit == "raw" and one.typical_norm is None:
            raise SondeError(
                f"{one.name} has no typical norm, so a coefficient has no unit.",
                fix="Make the vectors with massive dimensions (`massive` of the vectors stage), "
                "give with_typical_norm(…), or export in the unit unit_length.",
            )
        value = one.raw(coefficient) if unit == "raw" else one.direction
        found[one.layer] = np.ascontiguousarray(value.detach().cpu().numpy(), np.float32)
        if not np.isfinite(found[one.layer]).all() or not found[one.layer].any():
            size = "large" if abs(coefficient) > 1 else "small"
            raise SondeError(
                f"A coefficient of {coefficient:g} makes {one.name} too {size} for a file's "
                "numbers, which are float32.",
                fix="Give one near 1.",
            )
    if not found:
        raise SondeError("There is no vector to export.", fix="Give at least one.")
    if len(models) > 1:
        raise SondeError(
            f"The vectors are of {len(models)} models.", fix="Export those of one model."
        )
    return dict(sorted(found.items()))


def stated(unit: ExportUnit, coefficient: Number) -> str:
    """Say in words what a tool's scale means."""
    if unit == "raw":
        return (
            f"directions times the typical norm of their layer times {coefficient:g}: a scale of 1 "
            f"adds {coefficient:g} typical norms"
        )
    return "directions of length 1: a scale is in the activations' own unit"


def is_reversed(unit: ExportUnit, coefficient: Number) -> bool:
    """Whether what is written points against the vectors: a negative coefficient."""
    return unit == "raw" and coefficient < 0


def checksum(directions: Mapping[int, Float32[np.ndarray, " d_model"]], unit: str) -> str:
    """Return the SHA-256 of the unit in words and of the arrays by layer, which a file keeps."""
    digest = hashlib.sha256(unit.encode())
    for layer, values in sorted(directions.items()):
        digest.update(f"{layer}:".encode() + np.ascontiguousarray(values, "<f4").tobytes())
    return digest.hexdigest()
