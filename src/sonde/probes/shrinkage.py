"""How far to shrink the pooled covariance of two classes towards a multiple of the identity."""

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.probes.linear_fits import Fit
from sonde.probes.two_classes import TwoClasses

Shrinkage: TypeAlias = float | Literal["ledoit_wolf"]
MOST = 1 - 1e-9  # of a shrinkage that is found: 1 itself would leave no covariance


def pooled_variance(fit: Fit, classes: TwoClasses) -> Float64[Tensor, " column"]:
    """Return the trace of the pooled covariance S, divided by n: tr S = tr z'z / n - q |diff|^2."""
    total = fit.trace / fit.n
    return total - classes.between * classes.difference.square().sum(dim=1)


def ledoit_wolf(
    x: Float64[Tensor, "row d_model"],
    y: Float64[Tensor, "row column"],
    fit: Fit,
    classes: TwoClasses,
) -> Float64[Tensor, " column"]:
    """Return the shrinkage of Ledoit and Wolf for the rows less their class's mean.

    With S the pooled covariance of d coordinates and n rows z_i, each less the mean of its class,
    ``beta / delta`` with ``beta = (sum |z_i|^4 / n - |S|^2) / (d n)``, at most ``delta``, and
    ``delta = (|S|^2 - (tr S)^2 / d) / d``; as scikit-learn computes it. ``x`` are the raw rows that
    ``fit`` standardises.

    Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance
    matrices".
    """
    z = (x - fit.mean) / fit.scale
    n, d = z.shape
    along = z @ classes.difference.T  # [row, column]
    own = y - classes.share  # the mean of a row's class is own * difference
    length = classes.difference.square().sum(dim=1)
    squares = z.square().sum(dim=1)[:, None] - 2 * own * along + own.square() * length
    q = classes.between
    pooled = (
        fit.square_norm() / n**2 - 2 * q * along.square().sum(dim=0) / n + (q * length).square()
    )
    trace = pooled_variance(fit, classes)
    delta = (pooled - trace.square() / d) / d
    beta = torch.minimum((squares.square().sum(dim=0) / n - pooled) / (d * n), delta)
    return torch.where(beta > 0, beta / delta, 0.0).clamp(max=MOST)
