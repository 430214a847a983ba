"""The control of every search: a direction that nobody fitted, used in the same way."""

from dataclasses import replace

from sonde.steering.arms import RANDOM
from sonde.steering.joint import JointVectors
from sonde.vectors.methods.random_direction import drawn_direction
from sonde.vectors.vector import UNCLEANED, Vector


def random_control(vector: Vector, seed: int) -> Vector:
    """Return a random direction at a vector's hook point, with the same unit.

    Uniform on the sphere; a function of the seed and of where the vector lies.
    """
    drawn = drawn_direction(vector.d_model, vector.hook, vector.position, seed)
    return replace(
        vector,
        method=RANDOM,
        cleaning=UNCLEANED,
        direction=drawn.to(vector.direction.dtype),
        length=1.0,
        metrics={},
        training_data="",
        n_rows=0,
        note="",
    )


def joint_control(joint: JointVectors, seed: int) -> JointVectors:
    """Return a random direction at each hook point of vectors that are steered together."""
    return JointVectors(tuple(random_control(one, seed) for one in joint.vectors))
