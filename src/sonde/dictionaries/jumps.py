"""JumpReLU: a step at a threshold, and gradients that reach it through a kernel.

Rajamanoharan et al. (2024), "Jumping ahead". With p the pre-activation, t the threshold, H the step
and K the rectangle of width 1 and height 1 about 0:

    jump(p) = p H(p - t)      d/dp = H(p - t)    d/dt = -(t / bandwidth) K((p - t) / bandwidth)
    l0(p)   = H(p - t)        d/dp = 0           d/dt = -(1 / bandwidth) K((p - t) / bandwidth)

The derivatives by t are those of expectations over p, estimated by a kernel; a step has none.
"""

import torch
from jaxtyping import Float
from torch import Tensor


class _Jump(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pre, threshold, bandwidth):
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return torch.where(pre > threshold, pre, 0.0)

    @staticmethod
    def backward(ctx, slope):
        pre, threshold = ctx.saved_tensors
        near = _near(pre, threshold, ctx.bandwidth)
        along = -(threshold / ctx.bandwidth) * (near * slope).sum(dim=0)
        return slope * (pre > threshold), along, None


class _Count(torch.autograd.Function):
    @staticmethod
    def forward(ctx, pre, threshold, bandwidth):
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return (pre > threshold).to(pre)

    @staticmethod
    def backward(ctx, slope):
        pre, threshold = ctx.saved_tensors
        near = _near(pre, threshold, ctx.bandwidth)
        return None, -(near * slope).sum(dim=0) / ctx.bandwidth, None


def _near(pre: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
    return ((pre - threshold).abs() < bandwidth / 2).to(pre)


def jump(
    pre: Float[Tensor, "row latent"], threshold: Float[Tensor, " latent"], bandwidth: float
) -> Float[Tensor, "row latent"]:
    """Return pre-activations above their thresholds, 0 elsewhere."""
    return _Jump.apply(torch.relu(pre), threshold, bandwidth)  # pyright: ignore


def count_active(
    pre: Float[Tensor, "row latent"], threshold: Float[Tensor, " latent"], bandwidth: float
) -> Float[Tensor, "row latent"]:
    """Return 1 where a pre-activation lies above its threshold, with the threshold's gradient."""
    return _Count.apply(pre, threshold, bandwidth)  # pyright: ignore
