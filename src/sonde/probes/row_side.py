"""The ``[row, row]`` side: fewer rows than coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float32, Float64
from torch import Tensor

from sonde.activations.gram import lower_gram, mirrored
from sonde.probes.fold_moments import Spread, Standards
from sonde.probes.linear_fits import columns
from sonde.probes.problem import Problem
from sonde.probes.shifted import SMALL, solve_shifted


@dataclass(frozen=True, slots=True, eq=False)
class RowSide:
    """Rows and the spread of each fold.

    ``x`` is centred by ``origin``, its mean over all rows, so that nothing large is rounded.
    ``near`` is the float32 kernel of all rows, standardised by all: where rows are many it stands
    near the kernel of any choice of folds, which is not formed then.
    """

    problem: Problem
    x: Float64[Tensor, "layer row d_model"]
    origin: Float64[Tensor, "layer d_model"]
    spread: tuple[Spread, ...]
    near: tuple[Float32[Tensor, "row row"] | None, ...]

    @classmethod
    def of(cls, problem: Problem) -> "RowSide":
        """Centre the rows, take the spread of each fold, and form the kernel of all."""
        x = problem.x.double()
        origin = x.mean(dim=1)
        spread = tuple(Spread.of_rows(layer, problem.folds) for layer in x)
        x = x - origin[:, None]
        near = [
            _kernel(*pair) if x.shape[1] >= SMALL else None for pair in zip(x, spread, strict=True)
        ]
        return cls(problem, x, origin, spread, tuple(near))

    def fit(self, layer: int, left_out: Sequence[int]) -> "KernelFit":
        """Standardise the rows of all folds but some."""
        kept = [fold for fold in range(self.problem.n_folds) if fold not in left_out]
        train = self.problem.outside(left_out)
        y = columns(self.problem)[train]
        centre = y.mean(dim=0)
        standards = self.spread[layer].over(kept)
        about = standards.mean - self.origin[layer]
        rows = self.x[layer][train]
        near = self.near[layer]
        if near is not None:
            near = near[train][:, train] if left_out else near.clone()
        return KernelFit(standards, centre, rows, about, (y - centre).T, near)


def _kernel(x: Float64[Tensor, "row d_model"], spread: Spread) -> Float32[Tensor, "row row"]:
    scale = spread.over(range(len(spread.n))).scale
    return mirrored(lower_gram((x.float() / scale.float()).T))


@dataclass(frozen=True, slots=True, eq=False)
class KernelFit:
    """Some folds of a layer, fitted through z z'; z = (x - about) / scale is not kept."""

    standards: Standards
    centre: Float64[Tensor, " column"]
    x: Float64[Tensor, "row d_model"]
    about: Float64[Tensor, " d_model"]
    y: Float64[Tensor, "column row"]
    near: Float32[Tensor, "row row"] | None = None  # the kernel under other standards

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
        return replace(self, standards=self.standards.unscaled(), near=None)

    def back(self, right: Float64[Tensor, "column row"]) -> Float64[Tensor, "column d_model"]:
        """Multiply columns with z'."""
        return (right @ self.x - right.sum(dim=1, keepdim=True) * self.about) / self.scale

    def __len__(self) -> int:
        return len(self.x)

    def double(self) -> Float64[Tensor, "row row"]:
        """Form the kernel."""
        return lower_gram(((self.x - self.about) / self.scale).T)

    def single(self) -> Float32[Tensor, "row row"]:
        """Form the kernel in float32, or centre the one that is near it, and add a constant.

        z z' times a vector of ones is 0, so without the constant rounding would decide whether a
        small penalty has a factor. Centred targets have nothing in that direction.
        """
        if self.near is None:
            z = self.x.float().sub_(self.about.float()).div_(self.scale.float())
            kernel = lower_gram(z.T)
        else:
            mean = self.near.mean(dim=0)
            kernel = self.near - mean - (mean - mean.mean())[:, None]
        return kernel.add_(kernel.diagonal().mean() / len(self))

    def times(self, right: Float64[Tensor, "column row"]) -> Float64[Tensor, "column row"]:
        """Multiply columns with the kernel."""
        weight = self.back(right) / self.scale
        return weight @ self.x.T - (weight @ self.about)[:, None]
