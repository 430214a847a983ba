"""What a monitor reads: the arms of a search as they were asked, and the vectors it projects on."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sonde.core.errors import SondeError
from sonde.experiments.stages.steer_layers import Layers
from sonde.experiments.stages.steer_results import PROMPT, UNSTEERED
from sonde.experiments.stages.steer_vectors import chosen_vectors

if TYPE_CHECKING:
    from sonde.steering.candidates import Arm
    from sonde.steering.joint import JointVectors
    from sonde.steering.results import SteeringResults
    from sonde.vectors.vector import Vector
    from sonde.vectors.vector_set import VectorSet


def searched_vectors(vectors: "VectorSet", found: "SteeringResults") -> "list[JointVectors]":
    """Return the vectors of a search as they were steered, in the unit that it counted in.

    Controls that it drew itself are not in the set.
    """
    from sonde.steering.joint import JointVectors

    joints: list[JointVectors] = []
    for one in found.vectors:
        members = [_in_set(vectors, name) for name in one.members]
        known = [vector for vector in members if vector is not None]
        if len(known) == len(members):
            norms = [place.typical_norm for place in one.places]
            pairs = zip(known, norms, strict=True)
            joints.append(JointVectors(tuple(own.with_typical_norm(norm) for own, norm in pairs)))
    return joints


def _in_set(vectors: "VectorSet", name: str) -> "Vector | None":
    """Return a vector by its name, or by that of a kind which came to the same."""
    try:
        return vectors[name]
    except SondeError:
        return None


def named_vectors(
    vectors: "VectorSet", kinds: Sequence[str], positions: Sequence[str], layers: Layers
) -> "list[Vector]":
    """Return the vectors of some kinds, at the positions and blocks that a search would take.

    Raises:
        SondeError: a kind, a position or a block that is named has no vector.
    """
    joints = [one for kind in kinds for one in chosen_vectors(vectors, [kind], positions, layers)]
    return distinct(joints)


def distinct(joints: "Iterable[JointVectors]") -> "list[Vector]":
    """Return each vector once, whether it is steered alone or with others."""
    return list({one.name: one for joint in joints for one in joint.vectors}.values())


def in_units_of(
    vectors: "Iterable[Vector]", found: "SteeringResults", *, recounted: bool
) -> "Iterator[Vector]":
    """Yield the vectors in the unit of a search, wherever one lies at a hook point that it steered.

    Elsewhere they keep their own; where the search was ``recounted`` for another model, they have
    none: their own is that of the model that they were made from.
    """
    from dataclasses import replace

    norms = {place.hook: place.typical_norm for one in found.vectors for place in one.places}
    for one in vectors:
        norm = norms.get(str(one.hook))
        if norm is not None:
            yield one.with_typical_norm(norm)
        else:
            yield replace(one, typical_norm=None) if recounted else one


def arms_of(found: "SteeringResults", searched: "Sequence[JointVectors]") -> "dict[str, Arm]":
    """Return the unsteered arm, the plain prompt and the best of each curve, as they were asked."""
    from sonde.core.edits import When
    from sonde.steering.candidates import Arm, Candidate, How

    settings, gate = found.settings, found.gate
    how = How(settings.kind, When(settings.when), settings.steps, gate and gate.gate)
    arms = {UNSTEERED: Arm()}
    if found.arm("prompt") is not None:
        arms[PROMPT] = Arm(instruction=found.task.asked_plainly)
    for joint in searched:
        best = found.best(found.of_vector(joint.name))
        if best.found and best.arm.coefficient is not None:
            arms[joint.name] = Arm(Candidate.of(joint, best.arm.coefficient, how))
    return arms
