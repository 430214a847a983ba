"""The random-direction control: what directions that nobody fitted say of the labels."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.probes.solver import moments, outside


def draw_directions(name: str, seed: int, d_model: int, number: int) -> Float[Tensor, "d_model k"]:
    """Draw unit vectors, uniform on the sphere; ``name`` makes those of each place its own."""
    rng = np.random.default_rng([seed, 0xD1, zlib.crc32(name.encode())])
    drawn = rng.normal(size=(d_model, number))
    return torch.from_numpy(drawn / np.linalg.norm(drawn, axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class RandomDirections:
    """Standardised activations read along fixed unit vectors u, each a target of its own.

    ``p = z . u`` with z standardised by the training rows. From these, numbers learn the line of
    least squares, ``mean(y) + cov(p, y) / var(p) (p - mean(p))``; classes learn the sign alone,
    ``sign(cov(p, y)) (p - m)``, m midway between the classes' means of p. A probe that is no better
    has found no direction of its own: most of them say as much.
    """

    x: Float[Tensor, "layer row d_model"]
    y: Float[Tensor, " row"]
    folds: Int[Tensor, " row"]
    directions: Float[Tensor, "layer d_model k"]
    classes: bool

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held k"]:
        """Fit without the folds ``left_out`` and predict their rows; there is no penalty."""
        train = outside(self.folds, left_out)
        mean, scale = moments(self.x[:, train])
        unit = self.directions / scale[..., None]
        p = self.x @ unit - torch.einsum("ld,ldk->lk", mean, unit)[:, None]
        y = self.y[train]
        slope = torch.einsum("lrk,r->lk", p[:, train], y - y.mean()) / len(y)
        if self.classes:
            ends = [p[:, train & (self.y == side)].mean(dim=1) for side in (0.0, 1.0)]
            centre, height, gain = (ends[0] + ends[1]) / 2, 0.0, slope.sign()
        else:
            variance, centre = torch.var_mean(p[:, train], dim=1, correction=0)
            height, gain = y.mean(), slope / torch.where(variance > 0, variance, 1.0)
        said = height + gain[:, None] * (p[:, ~train] - centre[:, None])
        return said[:, None].expand(-1, len(penalties), -1, -1)
