"""The unit of a coefficient: the typical norm, and how much of it a model's dtype can hold.

A coefficient of 1 adds a vector as long as the residual of an ordinary token is without its massive
dimensions, whatever the model and the layer. Measured with them that length can be 20 times as
large, and a search that starts there starts in gibberish.
"""

from math import isfinite, sqrt

import torch

from sonde.core.errors import SondeError
from sonde.steering.joint import JointVectors, Steerable
from sonde.vectors.vector import Vector

# What is added joins activations that are there already, and sums of both must be finite.
SPARE = 2.0


def in_units(vector: Vector, raw: float) -> float:
    """Return a raw coefficient in units of the typical norm: raw / typical norm.

    Raises:
        SondeError: the vector's typical norm is not known.
    """
    return raw / vector.raw_coefficient(1.0)


def largest_coefficient(vector: Steerable, dtype: torch.dtype) -> float:
    """Return the largest coefficient, in units, that a model of this dtype can be steered by.

    What vectors at several layers add comes together in the residual, so their largest one is
    ``1 / sum(1 / largest of each)``.

    Two things bound the raw one. Its largest coordinate must stay below the dtype's largest number
    (65,504 in float16). And its square must stay below float32's, because a norm layer sums squares
    in float32: an infinite sum makes the layer answer zeros, so that the text would be the same for
    every vector, and nothing would say so.

    Raises:
        SondeError: the vector's typical norm is not known.
    """
    each = [_largest(one, dtype) for one in JointVectors.of(vector).vectors]
    return each[0] if len(each) == 1 else 1 / sum(1 / one for one in each)


def _largest(vector: Vector, dtype: torch.dtype) -> float:
    peak = float(vector.direction.abs().max())
    raw = min(torch.finfo(dtype).max / peak, sqrt(torch.finfo(torch.float32).max)) / SPARE
    return in_units(vector, raw)


def check_coefficient(vector: Steerable, coefficient: float, dtype: torch.dtype) -> None:
    """Refuse a coefficient that is no number or overflows in the dtype that the model computes in.

    Raises:
        SondeError: it does, or the vector's typical norm is not known.
    """
    joint = JointVectors.of(vector)
    if not isfinite(coefficient):
        raise SondeError(
            f"A coefficient of {coefficient} for {joint.name} is not a number.",
            fix="Give a finite one, in units of the typical norm; most useful ones lie near 1.",
        )
    largest = largest_coefficient(joint, dtype)
    if abs(coefficient) > largest:
        name = str(dtype).removeprefix("torch.")
        raise SondeError(
            f"A coefficient of {coefficient:g} for {joint.name} overflows: it is "
            f"{joint.first.raw_coefficient(coefficient):.3g} in the activations' own unit, and "
            f"{name} holds {largest:.4g} at most, in units of the typical norm.",
            fix="Give one near 1. A coefficient in the activations' own unit is divided by the "
            "typical norm first (in_units).",
        )
