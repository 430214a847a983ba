"""Sums over shards inside of a forward or a backward pass (Shoeybi et al. 2019, "Megatron-LM").

Every shard encodes the same rows with its own latents, and writes a part of every target:

    read       forward: x            backward: the sum over shards of their gradients of x
    written    forward: sum of parts backward: the gradient of the sum, which all shards have
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.dictionaries.parallel.ranks import Ranks


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, ranks):
        ctx.ranks = ranks
        return x.view_as(x)

    @staticmethod
    def backward(ctx, slope):
        return ctx.ranks.sum(slope), None


class _Written(torch.autograd.Function):
    @staticmethod
    def forward(ctx, part, ranks):
        return ranks.sum(part)

    @staticmethod
    def backward(ctx, slope):
        return slope, None


def read(x: Float[Tensor, "*row d"], ranks: Ranks) -> Float[Tensor, "*row d"]:
    """Return what all shards read; its gradient is the sum of theirs."""
    return x if ranks.world == 1 else _Read.apply(x, ranks)  # pyright: ignore


def written(part: Float[Tensor, "*row d"], ranks: Ranks) -> Float[Tensor, "*row d"]:
    """Return the sum of what all shards write; each part's gradient is that of the sum."""
    return part if ranks.world == 1 else _Written.apply(part, ranks)  # pyright: ignore
