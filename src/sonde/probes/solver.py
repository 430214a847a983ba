"""What a kind of probe has to solve, for many layers at once."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.probes.problem import Problem
from sonde.probes.reader import Reader

EPS = torch.finfo(torch.float64).eps


@runtime_checkable
class Predictor(Protocol):
    """A batch of layers with their labels and folds, ready to be cross-validated."""

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition output"]:
        """Fit without the folds ``left_out`` and predict their rows, in the order of the rows."""
        ...


@runtime_checkable
class Solver(Predictor, Protocol):
    """A predictor that can also be fitted for good."""

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Reader, ...]:
        """Fit the labels (repetition 0) on all rows, each layer with its own penalty."""
        ...


Prepare: TypeAlias = Callable[[Problem], Solver]


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


def refuse_overflow(variance: Float[Tensor, "*any"]) -> None:
    """Refuse activations that cannot be standardised: the squares of 1e155 are beyond float64.

    Raises:
        SondeError: a variance, or a sum of squares, is not finite.
    """
    if not bool(variance.isfinite().all()):
        raise SondeError(
            "Its activations are so large that float64 has no room for their squares.",
            fix="Rescale its rows.",
        )


def scale_of(
    variance: Float[Tensor, "layer d_model"], mean: Float[Tensor, "layer d_model"], n: int
) -> Float[Tensor, "layer d_model"]:
    """Return the standard deviation, or 1 where a coordinate is constant up to rounding.

    The bound is scikit-learn's (``sklearn.preprocessing._data._is_constant_feature``).
    """
    constant = variance <= n * EPS * variance + (n * mean * EPS).square()
    return torch.where(constant, 1.0, variance.sqrt())
