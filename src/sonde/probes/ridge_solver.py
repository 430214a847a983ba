"""Ridge regression, exact, from kernel or Gram matrices, whichever side is smaller.

A penalty costs one Cholesky factorisation, n^3/3 operations; an eigendecomposition that serves all
penalties costs about 10 n^3 and only pays beyond 30 of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.probes.problem import Problem
from sonde.probes.reader import Linear, folded
from sonde.probes.solver import Solver, scale_of, standardised


def ridge_solver(problem: Problem) -> Solver:
    """Prepare ridge fits: minimise sum (y - z w - b)^2 + penalty |w|^2, z standardised, b free."""
    if problem.x.shape[1] <= problem.x.shape[2]:
        return RowSide(problem)
    return CoordinateSide.of(problem)


@dataclass(frozen=True, slots=True, eq=False)
class RowSide:
    """Fits through the ``[row, row]`` kernel: fewer rows than coordinates."""

    problem: Problem

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition target"]:
        """Fit without the folds ``left_out`` and predict their rows."""
        train = self.problem.outside(left_out)
        z, _, _ = standardised(self.problem.x, train)
        y = self.problem.y.flatten(1)
        centre = y[train].mean(dim=0)
        weight = _row_side_weights(
            z[:, train], y[train] - centre, torch.tensor(penalties, dtype=z.dtype)[None]
        )
        said = torch.einsum("lhd,lpdt->lpht", z[:, ~train], weight) + centre
        return said.unflatten(-1, tuple(self.problem.y.shape[1:]))

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Linear, ...]:
        """Fit the labels on all rows."""
        z, mean, scale = standardised(self.problem.x)
        y = self.problem.y[:, 0]
        centre = y.mean(dim=0)
        weight = _row_side_weights(z, y - centre, penalty[:, None])
        return folded(weight[:, 0].mT, centre.expand(len(z), -1), mean, scale)


def _row_side_weights(
    z: Float[Tensor, "layer row d_model"],
    y: Float[Tensor, "row target"],
    penalties: Float[Tensor, "one_or_layer penalty"],
) -> Float[Tensor, "layer penalty d_model target"]:
    kernel = z @ z.mT
    duals = [_solve(kernel, penalty, y) for penalty in penalties.T]
    stacked = torch.cat(duals, dim=-1)  # all penalties' targets in one product
    weight = z.mT @ stacked
    return weight.unflatten(-1, (len(duals), y.shape[-1])).movedim(-2, 1)


@dataclass(frozen=True, slots=True, eq=False)
class CoordinateSide:
    """Fits through ``[d_model, d_model]`` Gram matrices, formed once a fold and summed.

    The sums are of activations less their overall mean, so that nothing large cancels.
    """

    problem: Problem
    x: Float[Tensor, "layer row d_model"]
    origin: Float[Tensor, "layer d_model"]
    gram: Float[Tensor, "fold layer d_model d_model"]
    cross: Float[Tensor, "fold layer d_model target"]
    total: Float[Tensor, "fold layer d_model"]
    y_total: Float[Tensor, "fold target"]
    n: Int[Tensor, " fold"]

    @classmethod
    def of(cls, problem: Problem) -> "CoordinateSide":
        """Form the sums of each fold."""
        origin = problem.x.mean(dim=1)
        x, y = problem.x - origin[:, None], problem.y.flatten(1)
        inside = [problem.folds == fold for fold in range(problem.n_folds)]
        blocks = [x[:, rows] for rows in inside]
        return cls(
            problem,
            x,
            origin,
            gram=torch.stack([block.mT @ block for block in blocks]),
            cross=torch.stack(
                [block.mT @ y[rows] for block, rows in zip(blocks, inside, strict=True)]
            ),
            total=torch.stack([block.sum(dim=1) for block in blocks]),
            y_total=torch.stack([y[rows].sum(dim=0) for rows in inside]),
            n=torch.stack([rows.sum() for rows in inside]),
        )

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition target"]:
        """Fit without the folds ``left_out`` and predict their rows."""
        kept = [fold for fold in range(len(self.n)) if fold not in left_out]
        mean, scale, correlation, cross, centre = self._standardised(kept)
        held = self.x[:, ~self.problem.outside(left_out)]
        z = (held - mean[:, None]) / scale[:, None]
        fits = [_solve(correlation, torch.tensor([alpha]), cross) for alpha in penalties]
        said = torch.stack([z @ weight for weight in fits], dim=1) + centre
        return said.unflatten(-1, tuple(self.problem.y.shape[1:]))

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Linear, ...]:
        """Fit the labels on all rows."""
        kept, targets = list(range(len(self.n))), self.problem.y.shape[2]
        mean, scale, correlation, cross, centre = self._standardised(kept)
        weight = _solve(correlation, penalty, cross[..., :targets]).mT
        bias = centre[:targets].expand(len(weight), -1)
        return folded(weight, bias, self.origin + mean, scale)

    def _standardised(self, kept: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return mean, scale, z'z, z'(y - mean y) and mean y over the folds ``kept``."""
        n = int(self.n[kept].sum())
        mean = self.total[kept].sum(dim=0) / n
        centre = self.y_total[kept].sum(dim=0) / n
        gram = self.gram[kept].sum(dim=0) - n * mean[:, :, None] * mean[:, None, :]
        variance = gram.diagonal(dim1=1, dim2=2).clamp(min=0) / n
        scale = scale_of(variance, self.origin + mean, n)
        cross = self.cross[kept].sum(dim=0) - n * mean[..., None] * centre
        gram = gram / scale[:, :, None] / scale[:, None, :]
        return mean, scale, gram, cross / scale[..., None], centre


def _solve(
    square: Float[Tensor, "layer side side"],
    penalty: Float[Tensor, " one_or_layer"],
    right: Float[Tensor, "*layer side target"],
) -> Float[Tensor, "layer side target"]:
    """Solve (square + penalty I) w = right."""
    shifted = square + penalty.to(square)[:, None, None] * torch.eye(square.shape[-1]).to(square)
    factor, failed = torch.linalg.cholesky_ex(shifted)
    if bool(failed.any()):
        raise SondeError(
            f"A ridge penalty of {float(penalty.min()):g} is too small for float64 here.",
            fix="Leave the smallest penalties out.",
        )
    return torch.cholesky_solve(right.expand(*square.shape[:-1], right.shape[-1]), factor)
