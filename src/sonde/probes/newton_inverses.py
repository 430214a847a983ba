"""Inverse Hessians that precondition Newton's equations: who has one, and when it is made anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.probes.likelihood import Likelihood
from sonde.probes.newton_equations import inverse

Groups: TypeAlias = Sequence[tuple[int, Tensor]]  # numbers, and the places of their columns
# Products for each coordinate, and at least, beyond which a new inverse is the cheaper way; where
# rows are few it costs as much as more of them.
OLD, LEAST = 0.02, 10
NEIGHBOURS = 150  # how many times one penalty may be another for one inverse to serve both


@dataclass(slots=True, eq=False)
class Inverses:
    """The inverses of groups of columns; groups with like penalties share one.

    ``due`` are the sets of groups that are to have one, or a new one, before the next step.
    """

    of: dict[int, Float[Tensor, "layer coordinate coordinate"]] = field(default_factory=dict)
    due: list[list[int]] = field(default_factory=list)

    def renew(
        self,
        z: Float[Tensor, "layer row coordinate"],
        likelihood: Likelihood,
        chance: Float[Tensor, "layer column output row"],
        penalty: Float[Tensor, "layer column coordinate"],
        groups: Groups,
    ) -> None:
        """Make the inverses that are due, of the mean curvature of the columns that share one."""
        for sharing in self.due:
            members = [columns for group, columns in groups if group in sharing]
            if not members:
                continue  # their fits have ended
            here = torch.cat(members)
            curvature = likelihood.part(here).curvature(chance[:, here]).mean(dim=1)
            made = inverse(z, curvature, penalty[:, here].mean(dim=1))
            self.of |= dict.fromkeys(sharing, made)

    def judge(
        self,
        products: Int[Tensor, " column"],
        penalty: Float[Tensor, "layer column"],
        groups: Groups,
        size: tuple[int, int],
    ) -> None:
        """Note which groups took too many products, by the rows and the side of z."""
        rows, side = size
        few = max(LEAST, OLD * side * (1 + side / rows))
        due = [group for group, columns in groups if int(products[columns].max()) > few]
        self.due = neighbours(due, {group: float(penalty[:, at].mean()) for group, at in groups})


def neighbours(due: Sequence[int], penalty: Mapping[int, float]) -> list[list[int]]:
    """Put groups together whose penalties are alike; they are given in order of number.

    Penalties grow with the numbers and begin anew where shuffled labels do, whose curvature is
    another: those stay apart.
    """
    found: list[list[int]] = []
    for group in due:
        if found:
            first, last = (penalty[found[-1][place]] for place in (0, -1))
            if last <= penalty[group] <= NEIGHBOURS * first:
                found[-1].append(group)
                continue
        found.append([group])
    return found
