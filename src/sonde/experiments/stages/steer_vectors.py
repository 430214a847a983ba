"""Which vectors of a set a search takes, and the unit of their coefficients."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from sonde.core.errors import SondeError

if TYPE_CHECKING:
    from sonde.activations.massive_report import MassiveDimensions
    from sonde.models.model import Model
    from sonde.vectors.vector import Vector
    from sonde.vectors.vector_set import VectorSet


def chosen_vectors(
    vectors: "VectorSet",
    kinds: Sequence[str],
    positions: Sequence[str],
    layers: Sequence[int] | Literal["best"],
) -> "list[Vector]":
    """Return the vectors that are searched, position by position in the order of the kinds.

    ``best`` takes of each kind the layer that tells held-out rows apart best.

    Raises:
        SondeError: a kind, a position or a block that is named has no vector.
    """
    found: list[Vector] = []
    absent = [layer for layer in layers if layer not in vectors.layers]
    if layers != "best" and absent:
        raise SondeError(
            f"`layers` names {', '.join(map(str, absent))}, and there are vectors of "
            f"{', '.join(map(str, vectors.layers))}.",
            fix="Name some of these, or let the activations be read there too.",
        )
    for position in positions or vectors.positions:
        for kind in kinds:
            method, _, cleaning = kind.partition("/")
            of_kind = vectors.select(method, None, position, cleaning or "none")
            if layers == "best":
                found.append(max(of_kind, key=_told_apart))
            else:
                found += of_kind.select(layer=[int(layer) for layer in layers])
    return found


def counted_in(
    vectors: "Sequence[Vector]", calibration: "MassiveDimensions", model: "Model"
) -> "list[Vector]":
    """Count coefficients in the typical norms of the model that is steered.

    Raises:
        SondeError: another model was calibrated, or a layer was not.
    """
    if calibration.origin.model_fingerprint != model.info.fingerprint:
        raise SondeError(
            f"The calibration is of {calibration.origin.model}, and {model.info.name} is steered.",
            fix="Name a massive_dimensions stage of the model that is steered.",
        )
    return [one.with_typical_norm(calibration.typical_norm(one.layer)) for one in vectors]


def _told_apart(vector: "Vector") -> tuple[bool, float]:
    """Rank a vector by its held-out Cohen's d; one that was not scored, such as random, is last."""
    score = vector.metrics.get("cohens_d")
    known = score is not None and score.value == score.value
    return known, score.value if known and score is not None else -abs(vector.layer)
