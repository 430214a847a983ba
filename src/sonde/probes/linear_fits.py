"""What every closed-form linear probe is fitted from: standardised rows of some folds.

z are the rows less their mean, each coordinate divided by its scale; y the targets, one a column.
Ridge, mass mean and LDA differ only in which multiple of (z'z + penalty I)^-1 z'y they take.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.probes.problem import Problem


@runtime_checkable
class Fit(Protocol):
    """Some folds of a layer, standardised, ready to be solved for any penalties."""

    @property
    def n(self) -> int:
        """How many rows there are."""
        ...

    @property
    def mean(self) -> Float64[Tensor, " d_model"]:
        """The mean of the raw rows."""
        ...

    @property
    def scale(self) -> Float64[Tensor, " d_model"]:
        """The standard deviation of the raw rows, 1 where a coordinate is constant."""
        ...

    @property
    def centre(self) -> Float64[Tensor, " column"]:
        """The mean of the targets."""
        ...

    @property
    def cross(self) -> Float64[Tensor, "column d_model"]:
        """z'(y - centre)."""
        ...

    @property
    def trace(self) -> float:
        """The trace of z'z: n for every coordinate that varies."""
        ...

    def weights(self, penalties: Sequence[float]) -> Float64[Tensor, "penalty column d_model"]:
        """(z'z + penalty I)^-1 z'(y - centre)."""
        ...

    def square_norm(self) -> float:
        """The square of the Frobenius norm of z'z."""
        ...

    def first(self, count: int) -> "Fit":
        """Keep the first targets alone: those of the labels."""
        ...


@runtime_checkable
class Side(Protocol):
    """Layers of a problem, prepared for leaving folds out."""

    @property
    def problem(self) -> Problem:
        """The layers, the targets and the folds."""
        ...

    def fit(self, layer: int, left_out: Sequence[int]) -> Fit:
        """Standardise a layer by all folds but some; targets are ``columns`` of the problem."""
        ...


def columns(problem: Problem) -> Float64[Tensor, "row column"]:
    """Return the targets as columns: those of repetition 0 first."""
    return problem.y.double().flatten(1)


def held_out_rows(problem: Problem, layer: int, left_out: Sequence[int]) -> Tensor:
    """Return a layer's rows of some folds, in the order of the rows."""
    return problem.x[layer][~problem.outside(left_out)].double()


def predictions(
    x: Float64[Tensor, "held d_model"],
    fit: Fit,
    weight: Float64[Tensor, "penalty column d_model"],
    bias: Float64[Tensor, "#penalty column"],
) -> Float64[Tensor, "penalty held column"]:
    """Read raw rows by weights on standardised ones: z w + bias."""
    raw = weight / fit.scale
    offset = bias - raw @ fit.mean
    return ((raw.flatten(0, 1) @ x.T).unflatten(0, raw.shape[:2]) + offset[..., None]).mT


def by_repetition(
    problem: Problem, said: Sequence[Float64[Tensor, "penalty held column"]]
) -> Float64[Tensor, "layer penalty held repetition target"]:
    """Stack what was said of each layer and give repetitions and targets an axis each."""
    return torch.stack(list(said)).unflatten(-1, tuple(problem.y.shape[1:]))
