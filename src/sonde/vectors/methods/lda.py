"""Linear discriminant analysis with a shrunk covariance."""

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.probes.lda_solver import lda_solver
from sonde.vectors.kernels import combined, standardised
from sonde.vectors.methods.by_probe import by_probe
from sonde.vectors.rows import Rows
from sonde.vectors.settings import VectorSettings

SAYS = "difference of the class means through the inverse of the shrunk covariance within them"
MOST = 1 - 1e-9  # 1 itself would leave no covariance


def lda(rows: Rows, settings: VectorSettings) -> Float64[Tensor, "fit layer d_model"]:
    """Return ((1 - s) S + s tr(S)/d I)^-1 (mean of the positive rows - mean of the negative ones).

    S is the pooled covariance within the classes, of rows standardised by the training rows; the
    weight is given on raw coordinates, and is that of ``sonde.probes.lda`` of the same rows. s is
    ``settings.shrinkage``, Ledoit and Wolf's (2004) unless a number is given.
    """
    if int(rows.train.sum(dim=1).max()) > rows.x.shape[2]:
        return by_probe(rows, lambda problem: lda_solver(problem, shrinkage=settings.shrinkage))
    return torch.stack([_one(rows, fit, settings) for fit in range(len(rows.train))])


def _one(rows: Rows, fit: int, settings: VectorSettings) -> Float64[Tensor, "layer d_model"]:
    """Solve in the span of the rows: the weight is z' dual.

    With P taking each row's class mean off and W = P K P the products of such rows,
    (a I + b zw'zw)^-1 z'c = z'(c - b P (a I + b W)^-1 P K c) / a by Woodbury.
    """
    prepared, y = standardised(rows, fit), rows.y[rows.train[fit]]
    z, k = prepared.z, prepared.kernel
    n, d = z.shape[1:]
    u = torch.stack([y / y.sum().sqrt(), (1 - y) / (1 - y).sum().sqrt()], dim=1)  # P = I - u u'
    left = k - u @ (u.T @ k)
    within = left - (left @ u) @ u.T
    c = y / y.sum() - (1 - y) / (1 - y).sum()
    trace = within.diagonal(dim1=1, dim2=2).sum(dim=1)
    shrinkage = _shrinkage(within, trace, d, settings)
    a = (shrinkage * trace / n / d)[:, None, None]
    b = ((1 - shrinkage) / n)[:, None, None]
    matrix = a * torch.eye(n, dtype=torch.float64) + b * within
    across = (left @ c)[..., None]
    solved = torch.cholesky_solve(across, torch.linalg.cholesky(matrix))
    solved = solved - u @ (u.T @ solved)
    dual = (c - b[..., 0] * solved[..., 0]) / a[..., 0]
    return combined(dual, z) / prepared.scale


def _shrinkage(
    within: Float64[Tensor, "layer row row"],
    trace: Float64[Tensor, " layer"],
    d: int,
    settings: VectorSettings,
) -> Float64[Tensor, " layer"]:
    """Return the setting, or what Ledoit and Wolf find, as scikit-learn computes it."""
    if settings.shrinkage != "ledoit_wolf":
        return torch.full_like(trace, settings.shrinkage)
    n = within.shape[1]
    squares = within.square().sum(dim=(1, 2)) / n**2  # |S|^2
    fourth = within.diagonal(dim1=1, dim2=2).square().sum(dim=1) / n
    delta = (squares - (trace / n).square() / d) / d
    beta = torch.minimum((fourth - squares) / (d * n), delta)
    return torch.where(beta > 0, beta / delta, 0.0).clamp(1e-9, MOST)
