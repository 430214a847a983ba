"""The random-direction control of probes that read an example's rows together."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.probes.problem import Problem
from sonde.probes.random_direction import RandomDirections
from sonde.probes.settings import Says


@dataclass(frozen=True, slots=True, eq=False)
class PooledDirections:
    """The mean of an example's rows, read along directions that nobody fitted.

    As ``RandomDirections`` with an example a row; what it says of an example stands at each of its
    rows.
    """

    problem: Problem
    directions: Float[Tensor, "layer d_model k"]
    says: Says
    n_classes: int = 0

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held k output"]:
        """Fit without the folds ``left_out`` and predict their rows; there is no penalty."""
        given = self.problem
        _, of_row, sizes = torch.unique_consecutive(
            given.example, return_inverse=True, return_counts=True
        )
        first = sizes.cumsum(0) - sizes
        sums = given.x.new_zeros(len(given.x), len(sizes), given.x.shape[2])
        means = sums.index_add(1, of_row, given.x) / sizes[:, None]
        pooled = Problem(means, given.y[first], given.folds[first], torch.arange(len(sizes)))
        reader = RandomDirections(pooled, self.directions, self.says, self.n_classes)
        held = ~given.outside(left_out)
        place = (~pooled.outside(left_out)).cumsum(0) - 1  # of each held example among those
        return reader.held_out(left_out, penalties)[:, :, place[of_row[held]]]
