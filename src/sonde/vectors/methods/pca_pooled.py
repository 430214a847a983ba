"""The first principal component of all rows."""

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.vectors.kernels import centred, combined, kernel, leading_axis
from sonde.vectors.rows import Rows
from sonde.vectors.settings import VectorSettings

SAYS = "first principal component of all rows, centred by their mean; signed by the class means"


def pca_pooled(rows: Rows, settings: VectorSettings) -> Float64[Tensor, "fit layer d_model"]:
    """Return the axis along which the rows of both classes, less their mean, vary most.

    Unit length, coordinates as they are: massive dimensions are most of the variance where a model
    has them. The sign puts the positive class above the negative one.
    """
    products = kernel(rows.x)
    found = torch.empty(len(rows.train), *rows.x[:, 0].shape, dtype=torch.float64)
    for number, train in enumerate(rows.train):
        at = train.nonzero()[:, 0]
        dual = leading_axis(centred(products[:, at][:, :, at]))
        dual = dual - dual.mean(dim=-1, keepdim=True)
        found[number] = combined(dual, rows.x[:, at])
    return signed(found, rows)


def signed(
    directions: Float64[Tensor, "fit layer d_model"], rows: Rows
) -> Float64[Tensor, "fit layer d_model"]:
    """Return directions of unit length turned to where the mean of the positive rows is higher."""
    means = torch.einsum("fr,lrd->fld", rows.centres.float(), rows.x).double()
    along = (directions * means).sum(dim=-1, keepdim=True)
    length = directions.norm(dim=-1, keepdim=True).clamp(min=1e-300)
    return torch.where(along < 0, -directions, directions) / length
