"""What a dictionary is trained to make small, as pure functions of one batch.

Every part is scale-free: rows and targets twice as large leave it as it is.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def unexplained(
    made: Float[Tensor, "prefix row d"], target: Float[Tensor, "row d"], variance: float
) -> Float[Tensor, ""]:
    """Return the mean over prefixes of the FVU: mean over rows of |target - made|² / variance.

    ``variance`` is that of the targets, summed over coordinates. It is one number for the whole
    training, taken from the first rows, so that the loss of a batch is a mean over its rows, and
    parts of a batch average to it.
    """
    error = (made - target).square().sum() / (made.shape[0] * made.shape[1])
    return error / variance


def reconstruction_loss(
    made: Sequence[Float[Tensor, "prefix row _"]],
    targets: Sequence[Float[Tensor, "row _"]],
    variances: Sequence[float],
) -> Float[Tensor, ""]:
    """Return the mean over targets of what is unexplained of each."""
    parts = zip(made, targets, variances, strict=True)
    return torch.stack([unexplained(one, target, variance) for one, target, variance in parts]).mean()
