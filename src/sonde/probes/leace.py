"""Linear erasure of a concept in closed form.

After ``r(x) = x - L R (x - mean)`` no linear function of r(x) covaries with the concept z, so no
linear probe does better on those rows than a constant. Belrose et al. (2023, "LEACE: perfect linear
concept erasure in closed form") show which such map changes x least in mean square: with W the
symmetric square root of the pseudo-inverse of cov(x), and P the orthogonal projection on the
columns of W cov(x, z),

    r(x) = x - W^+ P W (x - mean).

``orthogonal`` erasure takes the orthogonal projection on the columns of cov(x, z) themselves, which
needs no covariance of x but changes it more. Concepts are numbers, or classes as indicators; what
of them is the same for all rows or follows from the others is left out first.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from sonde.probes.solver import EPS

Method: TypeAlias = Literal["leace", "orthogonal"]


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Mean and principal axes of rows: cov(x) = axes diag(variance) axes', without null axes."""

    n: int
    mean: Float64[Tensor, " d_model"]
    axes: Float64[Tensor, "d_model axis"]
    variance: Float64[Tensor, " axis"]

    @classmethod
    def of_rows(cls, x: Float[Tensor, "row d_model"]) -> "Spread":
        """Take it from rows, on the smaller side of the matrix."""
        x = x.double()
        mean = x.mean(dim=0)
        _, size, axes = torch.linalg.svd(x - mean, full_matrices=False)
        present = size > size[:1] * max(x.shape) * EPS
        return cls(len(x), mean, axes[present].T, size[present].square() / len(x))

    @classmethod
    def of_covariance(
        cls,
        n: int,
        mean: Float64[Tensor, " d_model"],
        covariance: Float64[Tensor, "d_model d_model"],
    ) -> "Spread":
        """Take it from the moments of n rows; fewer rows than coordinates leave null axes."""
        variance, axes = torch.linalg.eigh(covariance)
        present = variance > variance[-1:] * len(mean) * EPS
        present[: max(0, len(mean) - (n - 1))] = False
        return cls(n, mean, axes[:, present], variance[present])


@dataclass(frozen=True, slots=True, eq=False)
class Erasure:
    """The map ``x - (x - mean) @ right.T @ left.T``, of the rank of the concept."""

    left: Float64[Tensor, "d_model rank"]
    right: Float64[Tensor, "rank d_model"]
    mean: Float64[Tensor, " d_model"]

    def __call__(self, x: Float[Tensor, "*batch d_model"]) -> Float64[Tensor, "*batch d_model"]:
        """Return erased activations, in float64."""
        left, right, mean = (it.to(x.device) for it in (self.left, self.right, self.mean))
        return x.double() - ((x.double() - mean) @ right.T) @ left.T


def indicators(
    classes: Int[Tensor, " row"] | Float[Tensor, " row"], n_classes: int
) -> Float64[Tensor, "row class"]:
    """Return a column for each class: 1 in its rows, 0 in the others."""
    return torch.nn.functional.one_hot(classes.long(), n_classes).double()


def standard_concept(
    z: Float[Tensor, "row concept"],
) -> Float64[Tensor, "row kept"]:
    """Return uncorrelated columns of mean 0 and variance 1 that say what z says."""
    z = z.double()
    centred = z - z.mean(dim=0)
    scale = centred.square().mean(dim=0).sqrt()
    varied = scale > z.abs().amax(dim=0) * len(z) * EPS
    scaled = centred[:, varied] / scale[varied]
    columns, size, _ = torch.linalg.svd(scaled, full_matrices=False)
    present = size > size[:1] * max(scaled.shape) * 1e3 * EPS
    return columns[:, present] * len(z) ** 0.5


def erasure_of_rows(
    x: Float[Tensor, "row d_model"], z: Float[Tensor, "row concept"], method: Method = "leace"
) -> Erasure:
    """Return what erases z from x."""
    spread, standard = Spread.of_rows(x), standard_concept(z)
    cross = (x.double() - spread.mean).T @ standard / len(x)
    return erasure(spread, cross, method)


def erasure_of_classes(
    counts: Float64[Tensor, " class"],
    means: Float64[Tensor, "class d_model"],
    covariance: Float64[Tensor, "d_model d_model"],
    method: Method = "leace",
) -> Erasure:
    """Return what erases the classes, from how many rows they have, their means and cov(x).

    cov(x, z) of a class's indicator is its share times the way from the mean to the class's mean;
    dividing by the root of the share is another scale of z, which changes nothing.
    """
    shares = counts / counts.sum()
    mean = shares @ means
    spread = Spread.of_covariance(int(counts.sum()), mean, covariance)
    return erasure(spread, shares.sqrt() * (means - mean).T, method)


def erasure(
    spread: Spread, cross: Float64[Tensor, "d_model concept"], method: Method = "leace"
) -> Erasure:
    """Return the erasure of what has the covariance ``cross`` with x."""
    if method == "orthogonal":
        basis = _columns(cross, spread.n)
        return Erasure(basis, basis.T.contiguous(), spread.mean)
    root = spread.variance.sqrt()
    basis = _columns((spread.axes.T @ cross) / root[:, None], spread.n)
    return Erasure(
        spread.axes @ (root[:, None] * basis),
        (basis.T / root) @ spread.axes.T,
        spread.mean,
    )


def _columns(of: Float64[Tensor, "long short"], n: int) -> Float64[Tensor, "long rank"]:
    """Return an orthonormal basis of a matrix's columns, without what is rounding."""
    left, size, _ = torch.linalg.svd(of, full_matrices=False)
    return left[:, size > size[:1] * max(n, *of.shape) * 1e3 * EPS]
