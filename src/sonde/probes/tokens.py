"""What is said of each token, laid out by example, and pooled over its tokens."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def by_token(
    rows: Float[Tensor, "layer column row"], tokens: Int[Tensor, "example token"]
) -> tuple[Float[Tensor, "layer column example token"], Bool[Tensor, "example token"]]:
    """Lay rows out by example and token, and say where there is a token; others hold row 0's."""
    there = tokens >= 0
    return rows[:, :, tokens.clamp(min=0)], there


def pooled_max(
    each: Float[Tensor, "*batch token"],
    there: Bool[Tensor, "*same token"],
    temperature: float = 0.0,
) -> Float[Tensor, "*batch"]:
    """Pool by the largest; at a temperature above 0 by the mean weighted by softmax(f / t).

    That mean lies between the plain mean (t large) and the largest (t to 0). Each example has a
    token at least.
    """
    shown = each.masked_fill(~there, -torch.inf)
    if temperature <= 0:
        return shown.amax(dim=-1)
    weight = (shown / temperature).softmax(dim=-1)
    return (weight * each).sum(dim=-1)


def pooled_mean(
    each: Float[Tensor, "*batch token"], there: Bool[Tensor, "*same token"]
) -> Float[Tensor, "*batch"]:
    """Pool by the mean over the tokens."""
    n = there.sum(dim=-1)
    return each.masked_fill(~there, 0.0).sum(dim=-1) / n


def rolling_means(
    each: Float[Tensor, "*batch token"], there: Bool[Tensor, "*same token"], window: int
) -> tuple[Float[Tensor, "*batch start"], Bool[Tensor, "*same start"]]:
    """Return the mean of each ``window`` tokens in a row, and where there is one.

    An example of fewer tokens has one window, all of it. The tokens of an example come first, what
    is not there after them.
    """
    length = each.shape[-1]
    width = min(window, length)
    held = torch.nn.functional.pad(each.masked_fill(~there, 0.0).cumsum(dim=-1), (1, 0))
    sums = held[..., width:] - held[..., :-width]
    n = there.sum(dim=-1, keepdim=True)
    start = torch.arange(length - width + 1, device=each.device)
    return sums / n.clamp(max=width), start <= (n - width).clamp(min=0)
