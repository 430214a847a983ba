"""A direction that nothing was fitted to: the control."""

import hashlib

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.core.hooks import HookPoint
from sonde.vectors.rows import Rows
from sonde.vectors.settings import VectorSettings

SAYS = "random direction, drawn evenly from all: a control, fitted to nothing"


def random_direction(rows: Rows, settings: VectorSettings) -> Float64[Tensor, "fit layer d_model"]:
    """Return a direction of unit length for each hook point, the same in every fit."""
    width = rows.x.shape[2]
    drawn = [drawn_direction(width, hook, rows.position, settings.seed) for hook in rows.hooks]
    return torch.stack(drawn).expand(len(rows.train), -1, -1).clone()


def drawn_direction(
    width: int, hook: HookPoint, position: str, seed: int
) -> Float64[Tensor, " d_model"]:
    """Draw a unit vector from the sphere, by the place and the seed alone."""
    named = f"{seed} {hook} {position}".encode()
    number = int.from_bytes(hashlib.sha256(named).digest()[:8], "big") >> 1
    vector = torch.randn(
        width, dtype=torch.float64, generator=torch.Generator().manual_seed(number)
    )
    return vector / vector.norm()
