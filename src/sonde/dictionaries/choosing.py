"""Which latents are active: one function for each kind of sparsity, on pre-activations."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.dictionaries.places import Places


def top_places(score: Float[Tensor, "row latent"], k: int, *, positive: bool = True) -> Places:
    """Return the k largest scores of each row; with ``positive`` those above 0 alone."""
    if k >= score.shape[1]:
        everywhere = torch.ones_like(score, dtype=torch.bool)
        return Places.of_mask(score > 0 if positive else everywhere)
    value, latent = score.topk(k, dim=1, sorted=False)
    if not positive or bool((value > 0).all()):
        return Places.of_topk(latent.sort(dim=1).values, score.shape[1])
    return Places.of_pairs(
        _pairs(latent, score.shape[1])[value.flatten() > 0].sort().values, *score.shape
    )


def batch_top_places(score: Float[Tensor, "row latent"], k: int) -> Places:
    """Return the ``k * rows`` largest positive scores of the batch; a row may have any number."""
    count = min(k * len(score), score.numel())
    value, flat = score.flatten().topk(count, sorted=False)
    return Places.of_pairs(flat[value > 0].sort().values, *score.shape)


def _pairs(latent: Int[Tensor, "row k"], n_latents: int) -> Int[Tensor, " pair"]:
    row = torch.arange(len(latent), device=latent.device)[:, None]
    return (row * n_latents + latent).flatten()


def values_at(dense: Float[Tensor, "row latent"], places: Places) -> Float[Tensor, " active"]:
    """Return the numbers at places."""
    return dense.flatten().index_select(0, places.flat)
