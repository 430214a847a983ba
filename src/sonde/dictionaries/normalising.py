"""Rows brought to one spread or norm before encoding, and what is made of them brought back.

OpenAI's dictionaries and some of SAELens' were trained on such rows. The scale is a row's own, so
that no weights can take it in.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class RowScale:
    """What was taken off each row, and what it was divided by."""

    shift: Float[Tensor, "row 1"]
    scale: Float[Tensor, "row 1"]
    epsilon: float = 0.0

    def there(self, x: Float[Tensor, "row d"]) -> Float[Tensor, "row d"]:
        """Return ``(x - shift) / (scale + epsilon)``."""
        return (x - self.shift) / (self.scale + self.epsilon)

    def back(self, x: Float[Tensor, "*prefix row d"]) -> Float[Tensor, "*prefix row d"]:
        """Return ``x * scale + shift``: epsilon is left out, as those who trained them do."""
        return x * self.scale + self.shift


def row_scale(x: Float[Tensor, "row d"], kind: str) -> RowScale:
    """Measure rows: ``layer_norm`` by mean and (unbiased) deviation, ``constant_norm`` by norm.

    After ``constant_norm`` a row's norm is sqrt(d).
    """
    if kind == "layer_norm":
        return RowScale(x.mean(dim=1, keepdim=True), x.std(dim=1, keepdim=True), EPSILON)
    assert kind == "constant_norm"
    norm = x.norm(dim=1, keepdim=True) / x.shape[1] ** 0.5
    return RowScale(torch.zeros_like(norm), norm)
