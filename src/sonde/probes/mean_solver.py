"""The difference of two classes' means, from sums over folds."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.probes.solver import Linear, Solver, moments, outside


def mean_solver(
    x: Float[Tensor, "layer row d_model"],
    y: Float[Tensor, "row target"],
    folds: Int[Tensor, " row"],
) -> Solver:
    """Prepare mean differences: weight = mean(x | 1) - mean(x | 0), zero midway between them."""
    n_folds = int(folds.max()) + 1
    member = torch.nn.functional.one_hot(folds, n_folds).to(x)
    both = torch.stack([y, 1 - y])  # [class, row, target]
    return ClassSums(
        x,
        folds,
        total=torch.einsum("rf,crt,lrd->fcltd", member, both, x),
        n=torch.einsum("rf,crt->fct", member, both),
    )


@dataclass(frozen=True, slots=True, eq=False)
class ClassSums:
    """Sums of the activations of each class (0: positive, 1: negative) in each fold."""

    x: Float[Tensor, "layer row d_model"]
    folds: Int[Tensor, " row"]
    total: Float[Tensor, "fold two layer target d_model"]
    n: Float[Tensor, "fold two target"]

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held target"]:
        """Fit without the folds ``left_out`` and predict their rows; there is no penalty."""
        kept = [fold for fold in range(len(self.n)) if fold not in left_out]
        weight, bias = self._difference(kept)
        held = self.x[:, ~outside(self.folds, left_out)]
        scores = torch.einsum("lhd,ltd->lht", held, weight) + bias[:, None]
        return scores[:, None].expand(-1, len(penalties), -1, -1)

    def final(self, penalty: Float[Tensor, " layer"]) -> Linear:
        """Return the difference over all rows; ``mean`` and ``scale`` are not used by it."""
        weight, bias = self._difference(list(range(len(self.n))))
        mean, scale = moments(self.x)
        return Linear(weight[:, 0], bias[:, 0], mean, scale)

    def _difference(self, kept: list[int]) -> tuple[Tensor, Tensor]:
        n = self.n[kept].sum(dim=0)  # a shuffle may leave a class empty; its mean is then 0/1
        means = self.total[kept].sum(dim=0) / n.clamp(min=1)[:, None, :, None]
        positive, negative = means
        weight = positive - negative
        return weight, -torch.einsum("ltd,ltd->lt", weight, (positive + negative) / 2)
