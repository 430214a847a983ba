"""The control of every search: a direction that nobody fitted, used in the same way."""

import hashlib
from dataclasses import replace

import torch

from sonde.steering.arms import RANDOM
from sonde.vectors.vector import UNCLEANED, Vector


def random_control(vector: Vector, seed: int) -> Vector:
    """Return a random direction at a vector's hook point, with the same unit.

    Gaussian coordinates scaled to unit length: uniform on the sphere. It is a function of the seed
    and the hook point alone.
    """
    digest = hashlib.sha256(f"{seed} {vector.hook}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    drawn = torch.randn(vector.d_model, generator=generator, dtype=torch.float64)
    return replace(
        vector,
        method=RANDOM,
        cleaning=UNCLEANED,
        position="none",
        direction=(drawn / drawn.norm()).to(vector.direction.dtype),
        length=1.0,
        metrics={},
        training_data="",
        n_rows=0,
        note="a random direction, as a control",
    )
