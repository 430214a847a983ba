"""The first principal component of the differences of pairs."""

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.vectors.kernels import combined, kernel, leading_axis
from sonde.vectors.methods.pca_pooled import signed
from sonde.vectors.rows import Rows
from sonde.vectors.settings import VectorSettings

SAYS = (
    "first principal component of the differences positive less negative of each pair, not "
    "centred; signed by the class means"
)
LEAST = 2


def pca_paired(rows: Rows, settings: VectorSettings) -> Float64[Tensor, "fit layer d_model"]:
    """Return the unit v that maximises the sum over pairs of ((x_positive - x_negative) . v)^2.

    The differences are not centred: their mean is what is looked for. A pair is a positive and a
    negative row of one group. Zou et al. (2023), "Representation Engineering", centre by drawing
    the sign of each pair at random, which is near the same.

    Raises:
        SondeError: there are fewer than two pairs in a fit.
    """
    positive, negative = rows.pairs.T
    difference = rows.x[:, positive] - rows.x[:, negative]
    products = kernel(difference)
    found = torch.empty(len(rows.train), *rows.x[:, 0].shape, dtype=torch.float64)
    for number, train in enumerate(rows.train):
        at = (train[positive] & train[negative]).nonzero()[:, 0]
        if len(at) < LEAST:
            raise SondeError(
                f"There are {len(rows.pairs)} pairs at {rows.position}, and a fit has {len(at)} "
                "of them: too few for pca_paired.",
                fix="Give the two texts of a pair one group, or use pca_pooled.",
            )
        dual = leading_axis(products[:, at][:, :, at])
        found[number] = combined(dual, difference[:, at])
    return signed(found, rows)
