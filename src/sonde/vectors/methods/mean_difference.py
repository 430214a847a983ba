"""The difference of the two classes' means."""

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.vectors.rows import Rows
from sonde.vectors.settings import VectorSettings

SAYS = "mean of the positive rows less mean of the negative ones"


def mean_difference(rows: Rows, settings: VectorSettings) -> Float64[Tensor, "fit layer d_model"]:
    """Return mean(x | positive) - mean(x | negative), in the activations' unit.

    Its length is the distance between the means. Massive dimensions enter by their size, whether
    they tell the classes apart or not. Turner et al. (2023), "Activation Addition".
    """
    return torch.einsum("fr,lrd->fld", rows.centres.float(), rows.x).double()
