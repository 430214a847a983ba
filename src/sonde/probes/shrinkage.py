"""How far to shrink the pooled covariance of two classes towards a multiple of the identity."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, eq=False)
class RowSums:
    """What Ledoit and Wolf's shrinkage needs beside moments; sums of rows add up.

    ``fourth`` is sum |z_i|^4, each row less the mean of its class, ``along`` sum (z_i . diff)^2,
    each less the mean of all.
    """

    fourth: Float64[Tensor, " column"]
    along: Float64[Tensor, " column"]

    @classmethod
    def of(
        cls,
        x: Float64[Tensor, "row d_model"],
        y: Float64[Tensor, "row column"],
        fit: Fit,
        classes: TwoClasses,
    ) -> "RowSums":
        """Sum over raw rows, which ``fit`` standardises."""
        z = (x - fit.mean).div_(fit.scale)
        along = z @ classes.difference.T
        own = y - classes.share  # the mean of a row's class is own * difference
        length = classes.difference.square().sum(dim=1)
        squares = z.square_().sum(dim=1)[:, None] - 2 * own * along + own.square() * length
        return cls(squares.square().sum(dim=0), along.square().sum(dim=0))

    def __add__(self, other: "RowSums") -> "RowSums":
        return RowSums(self.fourth + other.fourth, self.along + other.along)


def ledoit_wolf(sums: RowSums, fit: Fit, classes: TwoClasses) -> Float64[Tensor, " column"]:
    """Return the shrinkage of Ledoit and Wolf for the rows less their class's mean.

    With S the pooled covariance of d coordinates and n rows z_i, each less the mean of its class,
    ``beta / delta`` with ``beta = (sum |z_i|^4 / n - |S|^2) / (d n)``, at most ``delta``, and
    ``delta = (|S|^2 - (tr S)^2 / d) / d``; as scikit-learn computes it.

    Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance
    matrices".
    """
    n, d = fit.n, classes.difference.shape[1]
    q, length = classes.between, classes.difference.square().sum(dim=1)
    pooled = fit.square_norm() / n**2 - 2 * q * sums.along / n + (q * length).square()
    delta = (pooled - pooled_variance(fit, classes).square() / d) / d
    beta = torch.minimum((sums.fourth / n - pooled) / (d * n), delta)
    return torch.where(beta > 0, beta / delta, 0.0).clamp(max=MOST)
