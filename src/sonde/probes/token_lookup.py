"""The look-up of the current token: what the token itself says, without the model.

The baseline of a token task. Of "is this token ' the'?" it knows the answer; of "is the next one?"
it knows how often ' the' follows each token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class TokenLookup:
    """The mean label of each token id among the training rows, drawn to the mean of all.

    ``m(t) = (sum of y where the token is t + a m) / (n(t) + a)``, m the mean of all training rows
    and a the strength of smoothing: additive smoothing towards m. Numbers are predicted by m(t),
    two classes by its log-odds; a token that was not seen gets m. Logarithms stay finite because
    m counts half a row of either class besides. A predictor of one layer: the penalties are what a
    may be, so that it is chosen inside the training folds like a probe's.
    """

    token_ids: Int[np.ndarray, " row"]
    truth: Float[np.ndarray, " row"]
    folds: Int[np.ndarray, " row"]
    classes: bool

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition output"]:
        """Count without the folds ``left_out`` and look their rows up."""
        held = np.isin(self.folds, left_out)
        _, number = np.unique(self.token_ids, return_inverse=True)
        size = int(number.max()) + 1
        count = np.bincount(number[~held], minlength=size)
        total = np.bincount(number[~held], weights=self.truth[~held], minlength=size)
        n = int((~held).sum())
        mean = self.truth[~held].mean() if n else 0.0
        if self.classes:
            mean = (mean * n + 0.5) / (n + 1)
        strength = np.asarray(penalties)[:, None]
        said = ((total + strength * mean) / (count + strength))[:, number[held]]
        if self.classes:
            said = np.log(said) - np.log1p(-said)
        return torch.from_numpy(said)[None, :, :, None, None]
