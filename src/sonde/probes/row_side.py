"""The ``[row, row]`` side: fewer rows than coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float32, Float64
from torch import Tensor

from sonde.activations.gram import lower_gram, mirrored
from sonde.probes.fold_moments import Spread, Standards
from sonde.probes.linear_fits import columns
from sonde.probes.problem import Problem
from sonde.probes.shifted import solve_shifted


@dataclass(frozen=True, slots=True, eq=False)
class RowSide:
    """Rows and the spread of each fold; the kernel of each choice of folds is formed anew.

    ``x`` is centred by ``origin``, its mean over all rows, so that nothing large is rounded.
    """

    problem: Problem
    x: Float64[Tensor, "layer row d_model"]
    origin: Float64[Tensor, "layer d_model"]
    spread: tuple[Spread, ...]

    @classmethod
    def of(cls, problem: Problem) -> "RowSide":
        """Centre the rows, and take the spread of each fold."""
        x = problem.x.double()
        origin = x.mean(dim=1)
        spread = tuple(Spread.of_rows(layer, problem.folds) for layer in x)
        return cls(problem, x - origin[:, None], origin, spread)

    def fit(self, layer: int, left_out: Sequence[int]) -> "KernelFit":
        """Standardise the rows of all folds but some."""
        kept = [fold for fold in range(self.problem.n_folds) if fold not in left_out]
        train = self.problem.outside(left_out)
        y = columns(self.problem)[train]
        centre = y.mean(dim=0)
        standards = self.spread[layer].over(kept)
        about = standards.mean - self.origin[layer]
        return KernelFit(standards, centre, self.x[layer][train], about, (y - centre).T)


@dataclass(frozen=True, slots=True, eq=False)
class KernelFit:
    """Some folds of a layer, fitted through z z'; z = (x - about) / scale is not kept."""

    standards: Standards
    centre: Float64[Tensor, " column"]
    x: Float64[Tensor, "row d_model"]
    about: Float64[Tensor, " d_model"]
    y: Float64[Tensor, "column row"]

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.x)

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
        """The trace of z z'."""
        return self.standards.trace

    @property
    def cross(self) -> Float64[Tensor, "column d_model"]:
        """z'(y - centre)."""
        return self.back(self.y)

    def weights(self, penalties: Sequence[float]) -> Float64[Tensor, "penalty column d_model"]:
        """z'(z z' + penalty I)^-1 (y - centre)."""
        dual = solve_shifted(self, penalties, self.y)
        return self.back(dual.flatten(0, 1)).unflatten(0, dual.shape[:2])

    def square_norm(self) -> float:
        """Return the square of the Frobenius norm of z z', which is that of z'z."""
        lower = self.double()
        return float(2 * lower.tril(-1).square().sum() + lower.diagonal().square().sum())

    def scatter(self) -> Float64[Tensor, "row row"]:
        """Return z z'."""
        return mirrored(self.double())

    def first(self, count: int) -> "KernelFit":
        """Keep the first targets alone."""
        return replace(self, centre=self.centre[:count], y=self.y[:count])

    def unscaled(self) -> "KernelFit":
        """Return the fit on rows that are centred and keep their unit."""
        return replace(self, standards=self.standards.unscaled())

    def back(self, right: Float64[Tensor, "column row"]) -> Float64[Tensor, "column d_model"]:
        """Multiply columns with z'."""
        return (right @ self.x - right.sum(dim=1, keepdim=True) * self.about) / self.scale

    def __len__(self) -> int:
        return len(self.x)

    def double(self) -> Float64[Tensor, "row row"]:
        """Form the kernel."""
        return lower_gram(((self.x - self.about) / self.scale).T)

    def single(self) -> Float32[Tensor, "row row"]:
        """Form the kernel in float32 and add a constant.

        z z' times a vector of ones is 0, so without the constant rounding would decide whether a
        small penalty has a factor. Centred targets have nothing in that direction.
        """
        z = self.x.float().sub_(self.about.float()).div_(self.scale.float())
        kernel = lower_gram(z.T)
        return kernel.add_(kernel.diagonal().mean() / len(self))

    def times(self, right: Float64[Tensor, "column row"]) -> Float64[Tensor, "column row"]:
        """Multiply columns with the kernel."""
        weight = self.back(right) / self.scale
        return weight @ self.x.T - (weight @ self.about)[:, None]
