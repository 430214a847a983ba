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
from sonde.probes.solver import Linear, Solver, folded, outside, scale_of, standardised


def ridge_solver(
    x: Float[Tensor, "layer row d_model"],
    y: Float[Tensor, "row target"],
    folds: Int[Tensor, " row"],
) -> Solver:
    """Prepare ridge fits: minimise sum (y - z w - b)^2 + penalty |w|^2, z standardised, b free."""
    if x.shape[1] <= x.shape[2]:
        return RowSide(x, y, folds)
    return CoordinateSide.of(x, y, folds)


@dataclass(frozen=True, slots=True, eq=False)
class RowSide:
    """Fits through the ``[row, row]`` kernel: fewer rows than coordinates."""

    x: Float[Tensor, "layer row d_model"]
    y: Float[Tensor, "row target"]
    folds: Int[Tensor, " row"]

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held target"]:
        """Fit without the folds ``left_out`` and predict their rows."""
        train = outside(self.folds, left_out)
        z, _, _ = standardised(self.x, train)
        centre = self.y[train].mean(dim=0)
        weight = _row_side_weights(
            z[:, train], self.y[train] - centre, torch.tensor(penalties, dtype=z.dtype)[None]
        )
        return torch.einsum("lhd,lpdt->lpht", z[:, ~train], weight) + centre

    def final(self, penalty: Float[Tensor, " layer"]) -> Linear:
        """Fit the first target on all rows."""
        z, mean, scale = standardised(self.x)
        centre = self.y[:, :1].mean(dim=0)
        weight = _row_side_weights(z, self.y[:, :1] - centre, penalty[:, None])
        return folded(weight[:, 0, :, 0], centre.expand(len(z)), mean, scale)


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

    x: Float[Tensor, "layer row d_model"]
    y: Float[Tensor, "row target"]
    folds: Int[Tensor, " row"]
    origin: Float[Tensor, "layer d_model"]
    gram: Float[Tensor, "fold layer d_model d_model"]
    cross: Float[Tensor, "fold layer d_model target"]
    total: Float[Tensor, "fold layer d_model"]
    y_total: Float[Tensor, "fold target"]
    n: Int[Tensor, " fold"]

    @classmethod
    def of(
        cls,
        x: Float[Tensor, "layer row d_model"],
        y: Float[Tensor, "row target"],
        folds: Int[Tensor, " row"],
    ) -> "CoordinateSide":
        """Form the sums of each fold."""
        origin = x.mean(dim=1)
        x = x - origin[:, None]
        inside = [folds == fold for fold in range(int(folds.max()) + 1)]
        blocks = [x[:, rows] for rows in inside]
        return cls(
            x,
            y,
            folds,
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
    ) -> Float[Tensor, "layer penalty held target"]:
        """Fit without the folds ``left_out`` and predict their rows."""
        kept = [fold for fold in range(len(self.n)) if fold not in left_out]
        mean, scale, correlation, cross, centre = self._standardised(kept)
        held = self.x[:, ~outside(self.folds, left_out)]
        z = (held - mean[:, None]) / scale[:, None]
        fits = [_solve(correlation, torch.tensor([alpha]), cross) for alpha in penalties]
        return torch.stack([z @ weight for weight in fits], dim=1) + centre

    def final(self, penalty: Float[Tensor, " layer"]) -> Linear:
        """Fit the first target on all rows."""
        kept = list(range(len(self.n)))
        mean, scale, correlation, cross, centre = self._standardised(kept)
        weight = _solve(correlation, penalty, cross[..., :1])[..., 0]
        return folded(weight, centre[:1].expand(len(weight)), self.origin + mean, scale)

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
