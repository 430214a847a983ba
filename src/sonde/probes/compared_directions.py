"""The random-direction control of comparisons: utilities along directions that nobody fitted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sonde.probes.pair_table import PairTable
from sonde.probes.problem import Problem
from sonde.probes.solver import moments


@dataclass(frozen=True, slots=True, eq=False)
class ComparedDirections:
    """Standardised activations read along fixed unit vectors u, each a repetition of its own.

    ``p = z . u`` with z standardised by the training items. The training comparisons give the sign
    alone: that of sum (a - b) (p_low - p_high), a and b what spoke for either item.
    """

    pairs: PairTable
    problem: Problem
    directions: Float[Tensor, "layer d_model k"]

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held k 1"]:
        """Take the signs without the folds ``left_out`` and read their rows; no penalty."""
        train = self.problem.outside(left_out)
        mean, scale = moments(self.problem.x[:, train])
        unit = self.directions / scale[..., None]
        p = self.problem.x @ unit - torch.einsum("ld,ldk->lk", mean, unit)[:, None]
        item = self.problem.y[:, 0, 0].cpu().numpy().astype(np.int64)
        number = np.full(max(int(item.max()), int(self.pairs.high.max(initial=0))) + 1, -1)
        training = train.cpu().numpy()
        number[item[training]] = np.flatnonzero(training)
        pairs = self.pairs.among(number >= 0).renumbered(number)
        ahead = torch.from_numpy(pairs.for_low - pairs.for_high).to(p)
        low, high = (torch.from_numpy(side).to(p.device) for side in (pairs.low, pairs.high))
        slope = torch.einsum("lpk,p->lk", p[:, low] - p[:, high], ahead)
        said = slope.sign()[:, None] * p[:, ~train]
        return said[:, None, ..., None].expand(-1, len(penalties), -1, -1, -1)
