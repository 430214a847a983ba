"""Which vectors of a set a search takes, and the unit of their coefficients."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sonde.core.errors import SondeError
from sonde.experiments.stages.steer_layers import BEST, Layers, blocks_of, entries_of

if TYPE_CHECKING:
    from sonde.activations.massive_report import MassiveDimensions
    from sonde.models.model import Model
    from sonde.steering.joint import JointVectors
    from sonde.vectors.vector import Vector
    from sonde.vectors.vector_set import VectorSet


def chosen_vectors(
    vectors: "VectorSet", kinds: Sequence[str], positions: Sequence[str], layers: Layers
) -> "list[JointVectors]":
    """Return the vectors that are searched, position by position in the order of the kinds.

    ``best`` takes of each kind the layer that tells held-out rows apart best; random vectors lie
    where the others do, which a search sees to. An entry of several blocks takes their vectors
    together, once for each site that they lie at.

    Raises:
        SondeError: a kind, a position or a block that is named has no vector.
    """
    from sonde.steering.arms import RANDOM
    from sonde.steering.joint import JointVectors

    found: list[JointVectors] = []
    absent = [layer for layer in blocks_of(layers) if layer not in vectors.layers]
    if absent:
        raise SondeError(
            f"`layers` names {', '.join(map(str, absent))}, and there are vectors of "
            f"{', '.join(map(str, vectors.layers))}.",
            fix="Name some of these, or let the activations be read there too.",
        )
    for position in positions or vectors.positions:
        for kind in kinds:
            method, _, cleaning = kind.partition("/")
            of_kind = vectors.select(method, None, position, cleaning or "none")
            if layers == BEST and (method != RANDOM or len(kinds) == 1):
                found.append(JointVectors.of(max(of_kind, key=_told_apart)))
            for blocks in entries_of(layers):
                found += _together(of_kind, blocks)
    return found


def counted_in(
    joints: "Sequence[JointVectors]", calibration: "MassiveDimensions", model: "Model"
) -> "list[JointVectors]":
    """Count coefficients in the typical norms of the model that is steered.

    Raises:
        SondeError: another model was calibrated, or a layer or a site was not.
    """
    from sonde.steering.joint import JointVectors
    from sonde.vectors.checks import typical_norm_at

    if calibration.origin.model_fingerprint != model.info.fingerprint:
        raise SondeError(
            f"The calibration is of {calibration.origin.model}, and {model.info.name} is steered.",
            fix="Name a massive_dimensions stage of the model that is steered.",
        )

    def counted(one: "Vector") -> "Vector":
        norm = typical_norm_at(calibration, one.hook)
        if norm is None:
            blocks = ", ".join(map(str, calibration.layers))
            raise SondeError(
                f"The calibration knows no typical norm at {one.hook}: it is of "
                f"{calibration.settings.site} at blocks {blocks}.",
                fix="Calibrate these layers, or steer the residual stream.",
            )
        return one.with_typical_norm(norm)

    return [JointVectors(tuple(map(counted, joint.vectors))) for joint in joints]


def _together(of_kind: "VectorSet", blocks: tuple[int, ...]) -> "list[JointVectors]":
    """Return the vectors of some blocks, those of one site together.

    Raises:
        SondeError: a site has vectors at some of the blocks alone.
    """
    from sonde.steering.joint import JointVectors

    there = list(of_kind.select(layer=list(blocks)))
    found: list[JointVectors] = []
    for site in dict.fromkeys(one.hook.site for one in there):
        own = [one for one in there if one.hook.site is site]
        if len(own) < len(blocks):
            raise SondeError(
                f"`layers` steers blocks {', '.join(map(str, blocks))} at once, and of {site} "
                f"there are vectors at {', '.join(str(one.layer) for one in own)} alone.",
                fix="Let the activations be read at that site of each block, or name the blocks "
                "one by one.",
            )
        found.append(JointVectors.of(own))
    return found


def _told_apart(vector: "Vector") -> tuple[bool, float]:
    """Rank a vector by its held-out Cohen's d; one that was not scored, such as random, is last."""
    score = vector.metrics.get("cohens_d")
    known = score is not None and score.value == score.value
    return known, score.value if known and score is not None else -abs(vector.layer)
