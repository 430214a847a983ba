"""The difference of two classes' means, from sums over folds."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.probes.problem import Problem
from sonde.probes.reader import Linear
from sonde.probes.solver import Solver, moments


def mean_solver(problem: Problem) -> Solver:
    """Prepare mean differences: weight = mean(x | 1) - mean(x | 0), zero midway between them."""
    member = torch.nn.functional.one_hot(problem.folds, problem.n_folds).to(problem.x)
    y = problem.y[..., 0]
    both = torch.stack([y, 1 - y])  # [class, row, repetition]
    return ClassSums(
        problem,
        total=torch.einsum("rf,crt,lrd->fcltd", member, both, problem.x),
        n=torch.einsum("rf,crt->fct", member, both),
    )


@dataclass(frozen=True, slots=True, eq=False)
class ClassSums:
    """Sums of the activations of each class (0: positive, 1: negative) in each fold."""

    problem: Problem
    total: Float[Tensor, "fold two layer repetition d_model"]
    n: Float[Tensor, "fold two repetition"]

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition one"]:
        """Fit without the folds ``left_out`` and predict their rows; there is no penalty."""
        kept = [fold for fold in range(len(self.n)) if fold not in left_out]
        weight, bias = self._difference(kept)
        held = self.problem.x[:, ~self.problem.outside(left_out)]
        scores = torch.einsum("lhd,ltd->lht", held, weight) + bias[:, None]
        return scores[:, None, ..., None].expand(-1, len(penalties), -1, -1, -1)

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Linear, ...]:
        """Return the difference over all rows; ``mean`` and ``scale`` are not used by it."""
        weight, bias = self._difference(list(range(len(self.n))))
        mean, scale = moments(self.problem.x)
        return tuple(
            Linear(*one) for one in zip(weight[:, :1], bias[:, :1], mean, scale, strict=True)
        )

    def _difference(self, kept: list[int]) -> tuple[Tensor, Tensor]:
        n = self.n[kept].sum(dim=0)  # a shuffle may leave a class empty; its mean is then 0/1
        means = self.total[kept].sum(dim=0) / n.clamp(min=1)[:, None, :, None]
        positive, negative = means
        weight = positive - negative
        return weight, -torch.einsum("ltd,ltd->lt", weight, (positive + negative) / 2)
