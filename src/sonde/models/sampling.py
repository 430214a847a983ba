"""Choosing the next token: greedy, or sampled with random numbers that belong to the row."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def row_uniforms(seed: int, rows: Sequence[int], n_steps: int) -> Float[Tensor, "row step"]:
    """Return numbers in [0, 1) that depend on the seed, the row and the step alone.

    So a row's sampled text does not depend on which rows share its batch, or on how many tokens
    may still come; and no global random state is read or changed.
    """
    draws = [np.random.default_rng([seed, row]).random(n_steps) for row in rows]
    return torch.from_numpy(np.stack(draws))


def next_tokens(
    logits: Float[Tensor, "row d_vocab"],
    uniforms: Float[Tensor, "row"],
    temperature: float,
    top_p: float,
) -> Int[Tensor, "row"]:
    """Choose a token in each row: the likeliest at temperature 0, else by inverting the CDF.

    ``top_p`` keeps the smallest set of likeliest tokens whose probability reaches it (Holtzman et
    al. 2020, arXiv:1904.09751), computed in float64 after the temperature.
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    probabilities = (logits.double() / temperature).softmax(dim=-1)
    ranked, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
    below = ranked.cumsum(dim=-1) - ranked  # probability of all likelier tokens
    kept = torch.where(below < top_p, ranked, torch.zeros_like(ranked))
    reached = kept.cumsum(dim=-1)
    # The first token whose cumulated probability exceeds the draw.
    index = (reached <= uniforms[:, None] * reached[:, -1:]).sum(dim=-1, keepdim=True)
    last = (kept > 0).sum(dim=-1, keepdim=True) - 1
    return tokens.gather(-1, torch.minimum(index, last)).squeeze(-1)
