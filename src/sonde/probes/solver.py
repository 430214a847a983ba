"""What a kind of probe has to solve, for many layers at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True, slots=True)
class Linear:
    """Fitted maps of raw activations, one a layer: ``x @ weight + bias``.

    ``mean`` and ``scale`` are the standardisation that the fit used, already folded in.
    """

    weight: Float[Tensor, "layer d_model"]
    bias: Float[Tensor, " layer"]
    mean: Float[Tensor, "layer d_model"]
    scale: Float[Tensor, "layer d_model"]


@runtime_checkable
class Predictor(Protocol):
    """A batch of layers with their targets and folds, ready to be cross-validated."""

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held target"]:
        """Fit without the folds ``left_out`` and predict their rows, in the order of the rows."""
        ...


@runtime_checkable
class Solver(Predictor, Protocol):
    """A predictor that can also be fitted for good."""

    def final(self, penalty: Float[Tensor, " layer"]) -> Linear:
        """Fit the first target on all rows, each layer with its own penalty."""
        ...


Prepare: TypeAlias = Callable[
    [Float[Tensor, "layer row d_model"], Float[Tensor, "row target"], Int[Tensor, " row"]], Solver
]


def outside(folds: Int[Tensor, " row"], left_out: Sequence[int]) -> Bool[Tensor, " row"]:
    """Mark the rows that lie in none of the folds ``left_out``."""
    return ~torch.isin(folds, torch.tensor(list(left_out), dtype=folds.dtype))


def moments(
    x: Float[Tensor, "layer row d_model"],
) -> tuple[Float[Tensor, "layer d_model"], Float[Tensor, "layer d_model"]]:
    """Return mean and scale of each coordinate, as scikit-learn's StandardScaler has them."""
    variance, mean = torch.var_mean(x, dim=1, correction=0)
    return mean, scale_of(variance, mean, x.shape[1])


def standardised(
    x: Float[Tensor, "layer row d_model"], train: Bool[Tensor, " row"] | None = None
) -> tuple[
    Float[Tensor, "layer row d_model"],
    Float[Tensor, "layer d_model"],
    Float[Tensor, "layer d_model"],
]:
    """Return all rows standardised by the rows in ``train`` (or by all), their mean and scale."""
    mean, scale = moments(x if train is None else x[:, train])
    return (x - mean[:, None]) / scale[:, None], mean, scale


def scale_of(
    variance: Float[Tensor, "layer d_model"], mean: Float[Tensor, "layer d_model"], n: int
) -> Float[Tensor, "layer d_model"]:
    """Return the standard deviation, or 1 where a coordinate is constant up to rounding.

    The bound is scikit-learn's (``sklearn.preprocessing._data._is_constant_feature``).
    """
    constant = variance <= n * EPS * variance + (n * mean * EPS).square()
    return torch.where(constant, 1.0, variance.sqrt())


def folded(
    weight: Float[Tensor, "layer d_model"],
    bias: Float[Tensor, " layer"],
    mean: Float[Tensor, "layer d_model"],
    scale: Float[Tensor, "layer d_model"],
) -> Linear:
    """Fold the standardisation into a fit on standardised activations."""
    raw = weight / scale
    return Linear(raw, bias - torch.einsum("ld,ld->l", raw, mean), mean, scale)
