"""Products of rows, formed for many layers at once, and their leading axes.

Responses are fewer than coordinates as a rule, and a direction then lies in the span of the rows:
it is found as weights of rows, from their products.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from sonde.vectors.rows import Rows

BLOCK = 6  # directions that are iterated together; the first converges by the ratio to the next
STEPS = 60
CHECK = 4  # steps between two looks at the residual
RESIDUAL = 1e-8  # of the largest eigenvalue


@dataclass(frozen=True, slots=True, eq=False)
class Standardised:
    """Training rows of a fit, standardised, with their products.

    z are the rows less their mean, each coordinate over its standard deviation as scikit-learn's
    StandardScaler has it; the scale of a constant coordinate is 1. A weight of the standardised
    coordinates over the scale is one of the raw ones.
    """

    z: Float32[Tensor, "layer train d_model"]
    scale: Float64[Tensor, "layer d_model"]
    kernel: Float64[Tensor, "layer train train"]


def standardised(rows: Rows, fit: int) -> Standardised:
    """Standardise the training rows of a fit; what two methods need is formed once."""
    if fit not in rows.memory:
        x = rows.x.index_select(1, rows.train[fit].nonzero()[:, 0])
        x = x - x.mean(dim=1, keepdim=True)
        scale = x.square().mean(dim=1).double().sqrt()
        varies = scale > 1e-5 * _largest(rows)
        scale = torch.where(varies, scale, 1.0)
        z = x.mul_((varies / scale).float()[:, None])
        rows.memory[fit] = Standardised(z, scale, kernel(z))
    return rows.memory[fit]


def _largest(rows: Rows) -> Float64[Tensor, "layer d_model"]:
    """The largest deviation of each coordinate: beside it, rounding is no variation."""
    return rows.x.abs().amax(dim=1).double()


def kernel(z: Float32[Tensor, "layer row d_model"]) -> Float64[Tensor, "layer row row"]:
    """Return z z', formed in float32 and given as float64."""
    return (z @ z.mT).double()


def centred(k: Float64[Tensor, "*batch row row"]) -> Float64[Tensor, "*batch row row"]:
    """Return the products of rows less their mean, from the products of the rows."""
    k = k - k.mean(dim=-1, keepdim=True)
    return k - k.mean(dim=-2, keepdim=True)


def leading_axis(k: Float64[Tensor, "batch side side"]) -> Float64[Tensor, "batch side"]:
    """Return the unit eigenvector of the largest eigenvalue of symmetric matrices, none negative.

    By subspace iteration with Rayleigh and Ritz's step (Halko, Martinsson and Tropp 2011); where
    it has not converged to 1e-8, as where two eigenvalues are nearly equal, by a full
    decomposition. The sign means nothing.
    """
    side = k.shape[-1]
    if side <= 2 * BLOCK:
        return torch.linalg.eigh(k).eigenvectors[..., -1]
    drawn = torch.Generator().manual_seed(0)
    start = torch.randn(side, BLOCK, dtype=k.dtype, generator=drawn)
    found = torch.zeros_like(k[..., 0])
    open_ = torch.arange(len(k))
    basis = torch.linalg.qr(k @ start).Q
    for _ in range(STEPS // CHECK):
        part = k[open_]
        for _ in range(CHECK - 1):
            basis = part @ basis
            basis = basis / basis.norm(dim=-2, keepdim=True).clamp(min=1e-300)
        basis = torch.linalg.qr(basis).Q
        image = part @ basis
        values, turn = torch.linalg.eigh(basis.mT @ image)
        axis, moved = (basis @ turn)[..., -1], (image @ turn)[..., -1]
        off = (moved - values[:, -1:] * axis).norm(dim=-1)
        done = off <= RESIDUAL * values[:, -1].clamp(min=1e-300)
        found[open_[done]] = axis[done]
        open_, basis = open_[~done], torch.linalg.qr(image[~done]).Q
        if not len(open_):
            return found
    found[open_] = torch.linalg.eigh(k[open_]).eigenvectors[..., -1]
    return found


def combined(
    weights: Float[Tensor, "layer row"], x: Float[Tensor, "layer row d_model"]
) -> Float64[Tensor, "layer d_model"]:
    """Return the sum of the rows, each times its weight."""
    return torch.einsum("lr,lrd->ld", weights.to(x.dtype), x).double()
