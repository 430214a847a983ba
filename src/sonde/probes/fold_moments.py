"""Counts, means and scatters of each fold of a layer, put together for any choice of folds.

They are merged as Chan, Golub and LeVeque do (1983), about each fold's own mean, so nothing cancels
where means are large or folds lie far apart; leaving folds out is merging the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float32, Float64, Int
from torch import Tensor

from sonde.activations.gram import lower_gram, mirrored
from sonde.activations.running_moments import RunningMoments
from sonde.probes.shifted import solve_shifted
from sonde.probes.solver import refuse_overflow, scale_of


@dataclass(frozen=True, slots=True, eq=False)
class Standards:
    """What rows are standardised by: their number, mean and scale, and the trace of z'z.

    ``varies`` says which coordinates are not constant; the scale of the others is 1.
    """

    n: int
    mean: Float64[Tensor, " d_model"]
    scale: Float64[Tensor, " d_model"]
    varies: Bool[Tensor, " d_model"]
    trace: float

    def unscaled(self) -> "Standards":
        """Return what centres rows and leaves them their unit; the trace is no longer known."""
        return replace(self, scale=torch.ones_like(self.scale), trace=float("nan"))


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Count, mean and sum of squared deviations from it, for each fold."""

    n: Float64[Tensor, " fold"]
    mean: Float64[Tensor, "fold d_model"]
    square: Float64[Tensor, "fold d_model"]

    @classmethod
    def of_rows(cls, x: Float64[Tensor, "row d_model"], folds: Int[Tensor, " row"]) -> "Spread":
        """Take them from rows."""
        parts = [x[folds == fold] for fold in range(int(folds.max()) + 1)]
        n = torch.tensor([len(part) for part in parts]).to(x)
        both = [torch.var_mean(part, dim=0, correction=0) for part in parts]
        square = torch.stack([variance for variance, _ in both]) * n[:, None]
        return cls(n, torch.stack([mean for _, mean in both]), square)

    def over(self, kept: Sequence[int]) -> Standards:
        """Merge some folds; the scale is as scikit-learn's StandardScaler has it.

        Raises:
            SondeError: float64 has no room for the squares of rows so large.
        """
        where = list(kept)
        n, mean = self.n[where], self.mean[where]
        total = n.sum()
        middle = n @ mean / total
        square = self.square[where].sum(dim=0) + n @ (mean - middle).square()
        refuse_overflow(square)
        scale = scale_of(square[None] / total, middle[None], int(total))[0]
        relative = square / scale.square()
        varies = relative > total / 2  # it is n, or rounding where a coordinate is constant
        return Standards(int(total), middle, scale, varies, float(relative.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class GramFit:
    """Some folds of a layer as z'z and z'(y - centre), z standardised by them.

    The row of a constant coordinate is that of the identity times n.
    """

    standards: Standards
    centre: Float64[Tensor, " column"]
    square: Float64[Tensor, "d_model d_model"]
    cross: Float64[Tensor, "column d_model"]

    @property
    def n(self) -> int:
        """How many rows there are."""
        return self.standards.n

    @property
    def mean(self) -> Float64[Tensor, " d_model"]:
        """The mean of the raw rows."""
        return self.standards.mean

    @property
    def scale(self) -> Float64[Tensor, " d_model"]:
        """The standard deviation of the raw rows, 1 where a coordinate is constant."""
        return self.standards.scale

    @property
    def trace(self) -> float:
        """The trace of z'z."""
        return self.standards.trace

    def weights(self, penalties: Sequence[float]) -> Float64[Tensor, "penalty column d_model"]:
        """(z'z + penalty I)^-1 z'(y - centre)."""
        return solve_shifted(self, penalties, self.cross)

    def square_norm(self) -> float:
        """Return the square of the Frobenius norm of z'z, without what stands for constants."""
        constant = int((~self.standards.varies).sum())
        return float(self.square.square().sum()) - constant * self.n**2

    def scatter(self) -> Float64[Tensor, "d_model d_model"]:
        """Return z'z in its own memory, zero where a coordinate is constant."""
        return self.square * self.standards.varies

    def first(self, count: int) -> "GramFit":
        """Keep the first targets alone."""
        return replace(self, centre=self.centre[:count], cross=self.cross[:count])

    def unscaled(self) -> "GramFit":
        """Return the fit on rows that are centred and keep their unit."""
        scale = self.scale
        return GramFit(
            self.standards.unscaled(),
            self.centre,
            self.square * scale * scale[:, None],
            self.cross * scale,
        )

    def __len__(self) -> int:
        return len(self.square)

    def double(self) -> Float64[Tensor, "d_model d_model"]:
        """Return z'z."""
        return self.square

    def single(self) -> Float32[Tensor, "d_model d_model"]:
        """Return z'z in float32."""
        return self.square.float()

    def times(self, right: Float64[Tensor, "column d_model"]) -> Float64[Tensor, "column d_model"]:
        """Multiply columns with z'z."""
        return right @ self.square


@dataclass(frozen=True, slots=True, eq=False)
class FoldMoments:
    """The moments of activations x and targets y in each fold.

    ``scatter`` is sum (x - mean)(x - mean)', ``cross`` sum (y - y_mean)(x - mean)' and
    ``y_square`` sum (y - y_mean)^2, each within its fold.
    """

    spread: Spread
    scatter: tuple[Float64[Tensor, "d_model d_model"], ...]  # apart, to take turns in memory
    y_mean: Float64[Tensor, "fold column"]
    cross: Float64[Tensor, "fold column d_model"]
    y_square: Float64[Tensor, "fold column"]

    @classmethod
    def of_rows(
        cls,
        x: Float64[Tensor, "row d_model"],
        y: Float64[Tensor, "row column"],
        folds: Int[Tensor, " row"],
    ) -> "FoldMoments":
        """Take them from rows, one fold after another."""
        spread, about = Spread.of_rows(x, folds), Spread.of_rows(y, folds)
        scatter: list[Tensor] = []
        cross: list[Tensor] = []
        for fold, (mean, y_mean) in enumerate(zip(spread.mean, about.mean, strict=True)):
            rows = folds == fold
            deviation = x[rows] - mean
            scatter.append(mirrored(lower_gram(deviation)))
            cross.append((y[rows] - y_mean).T @ deviation)
        return cls(spread, tuple(scatter), about.mean, torch.stack(cross), about.square)

    @classmethod
    def of_running(cls, folds: Sequence[RunningMoments]) -> "FoldMoments":
        """Take those of each fold as they were summed up; the scatters are not copied."""
        scatter = tuple(fold.scatter for fold in folds)
        mean = torch.stack([fold.mean for fold in folds])
        square = torch.stack([one.diagonal() for one in scatter])
        n = torch.tensor([fold.count for fold in folds]).to(mean)
        return cls(
            Spread(n, mean, square),
            scatter,
            y_mean=torch.stack([fold.target_mean for fold in folds]),
            cross=torch.stack([fold.cross for fold in folds]),
            y_square=torch.stack([fold.target_square for fold in folds]),
        )

    def over(self, kept: Sequence[int]) -> GramFit:
        """Merge some folds and standardise by them."""
        where = list(kept)
        standards = self.spread.over(where)
        n = self.spread.n[where]
        centre = n @ self.y_mean[where] / n.sum()
        apart = self.spread.mean[where] - standards.mean
        weighted = apart * n[:, None]
        square = weighted.T @ apart
        for fold in where:
            square += self.scatter[fold]
        square.div_(standards.scale).div_(standards.scale[:, None])
        cross = self.cross[where].sum(dim=0) + (self.y_mean[where] - centre).T @ weighted
        cross.div_(standards.scale)
        # A coordinate that is constant here says nothing. With a diagonal like the others' it gets
        # no weight and leaves the matrix its inverse.
        constant = (~standards.varies).nonzero()[:, 0]
        square[constant], square[:, constant], cross[:, constant] = 0.0, 0.0, 0.0
        square[constant, constant] = float(standards.n)
        return GramFit(standards, centre, square, cross)
