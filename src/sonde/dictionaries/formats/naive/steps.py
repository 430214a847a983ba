"""The steps that formulas of several formats share, in words of torch alone."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor


def like(tensors: Mapping[str, Tensor], x: Tensor) -> dict[str, Tensor]:
    """Return tensors in the precision of the rows."""
    return {name: one.to(x) if one.is_floating_point() else one for name, one in tensors.items()}


def jump_relu(
    p: Float[Tensor, "row latent"], threshold: Tensor | float
) -> Float[Tensor, "row latent"]:
    """Return ``relu(p) * (p > threshold)``."""
    return torch.relu(p) * (p > threshold)


def top_k(
    p: Float[Tensor, "row latent"], k: int, score: Tensor | None = None
) -> Float[Tensor, "row latent"]:
    """Keep p where the score (p itself where None is given) is among the k largest of its row."""
    places = (p if score is None else score).topk(k, dim=1).indices
    return torch.zeros_like(p).scatter(1, places, p.gather(1, places))
