"""Products of a matrix with its own transpose, of which half is enough."""

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 256  # rows of the result at a time: few enough to save, many enough for the processor


def lower_gram(x: Float[Tensor, "row side"]) -> Float[Tensor, "side side"]:
    """Return the lower triangle of x'x, block by block; what lies above it is not zero.

    The blocks on the diagonal are whole, those above it are zeros: 9 / 16 of the operations of x'x
    at eight blocks.
    """
    side = x.shape[1]
    found = x.new_zeros(side, side)
    for start in range(0, side, BLOCK):
        stop = min(start + BLOCK, side)
        torch.mm(x[:, start:stop].T, x[:, :stop], out=found[start:stop, :stop])
    return found


def mirrored(lower: Float[Tensor, "side side"]) -> Float[Tensor, "side side"]:
    """Return the symmetric matrix with this lower triangle, in its own memory."""
    upper = lower.tril(-1).T
    return lower.tril_().add_(upper)
