"""Products of a matrix with its own transpose, of which half is enough."""

from jaxtyping import Float
from torch import Tensor

BLOCK = 256  # rows of the result at a time: few enough to save, many enough for the processor


def lower_gram(x: Float[Tensor, "row side"]) -> Float[Tensor, "side side"]:
    """Return the lower triangle of x'x; blocks on the diagonal are whole, those above are zeros.

    9 / 16 of the operations of x'x at eight blocks.
    """
    return add_lower_gram(x.new_zeros(x.shape[1], x.shape[1]), x)


def add_lower_gram(
    found: Float[Tensor, "side side"], x: Float[Tensor, "row side"]
) -> Float[Tensor, "side side"]:
    """Add the lower triangle of x'x to ``found``, in its own memory."""
    for start in range(0, x.shape[1], BLOCK):
        stop = min(start + BLOCK, x.shape[1])
        found[start:stop, :stop].addmm_(x[:, start:stop].T, x[:, :stop])
    return found


def mirrored(lower: Float[Tensor, "side side"]) -> Float[Tensor, "side side"]:
    """Return the symmetric matrix with this lower triangle, in its own memory."""
    upper = lower.tril(-1).T
    return lower.tril_().add_(upper)
