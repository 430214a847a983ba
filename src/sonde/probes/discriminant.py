"""Mass mean and LDA: the difference of two classes' means through the inverse of their covariance.

S is the pooled covariance within the classes, of rows standardised by all training rows, shrunk to
``(1 - s) S + s tr(S) / d I``. The total covariance is S + q diff diff', q the product of the two
classes' shares, so by Sherman and Morrison the inverse of S times diff is a multiple of the
total's, which all shuffles of the labels share: a repetition takes a penalty of its own, not a
matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.probes.linear_fits import (
    Fit,
    Side,
    by_repetition,
    columns,
    held_out_rows,
    predictions,
)
from sonde.probes.reader import Linear, folded
from sonde.probes.shrinkage import RowSums, Shrinkage, ledoit_wolf, pooled_variance
from sonde.probes.two_classes import TwoClasses

EPS = torch.finfo(torch.float64).eps
FIX = "Give a shrinkage above 0, such as shrinkage: ledoit_wolf."


@dataclass(frozen=True, slots=True, eq=False)
class Discriminant:
    """Fits of some layers; zero is midway between the means, or with ``priors`` at even odds."""

    side: Side
    shrinkage: Shrinkage
    priors: bool

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition one"]:
        """Fit without the folds ``left_out`` and predict their rows; there is no penalty."""
        problem = self.side.problem
        said: list[Tensor] = []
        for layer in range(len(problem.x)):
            fit = self.side.fit(layer, left_out)
            weight, bias = self._fitted(fit, layer, left_out)
            x = held_out_rows(problem, layer, left_out)
            here = predictions(x, fit, weight[None], bias[None])
            said.append(here.expand(len(penalties), -1, -1))
        return by_repetition(problem, said)

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Linear, ...]:
        """Fit the labels on all rows."""
        readers: list[Linear] = []
        for layer in range(len(self.side.problem.x)):
            fit = self.side.fit(layer, ()).first(1)
            weight, bias = self._fitted(fit, layer, ())
            readers += folded(weight[None], bias[None], fit.mean[None], fit.scale[None])
        return tuple(readers)

    def _fitted(
        self, fit: Fit, layer: int, left_out: Sequence[int]
    ) -> tuple[Float64[Tensor, "column d_model"], Float64[Tensor, " column"]]:
        if self.shrinkage != "ledoit_wolf":
            return discriminant(fit, torch.full_like(fit.centre, self.shrinkage), self.priors)
        problem = self.side.problem
        train = problem.outside(left_out).nonzero()[:, 0]
        y = columns(problem)[train][:, : len(fit.centre)]
        x = problem.x[layer].index_select(0, train).double()
        classes = TwoClasses.of_fit(fit)
        found = ledoit_wolf(RowSums.of(x, y, fit, classes), fit, classes)
        return discriminant(fit, found, self.priors)


def discriminant(
    fit: Fit, shrinkage: Float64[Tensor, " column"], priors: bool
) -> tuple[Float64[Tensor, "column d_model"], Float64[Tensor, " column"]]:
    """Return weight and intercept on standardised rows: w = ((1 - s) S + s tr(S) / d I)^-1 diff.

    The intercept puts zero midway between the means; with ``priors`` the log-odds of the classes'
    shares are added, as LDA does.

    Raises:
        SondeError: the covariance has no inverse: it has fewer rows than coordinates, the
            coordinates depend on one another, or the rows of a class do not vary along a direction.
    """
    classes = TwoClasses.of_fit(fit)
    width = classes.difference.shape[1]
    identity = shrinkage * pooled_variance(fit, classes) / width / (1 - shrinkage)
    _check(fit, float(shrinkage.min()), width)
    found = _weights(fit, fit.n * identity, float(shrinkage.min()))
    each = torch.arange(len(identity), device=identity.device)
    q = classes.between
    total = found[each, each] / torch.where(q > 0, q, 1.0)[:, None]
    kept = 1 - q * torch.einsum("cd,cd->c", classes.difference, total)
    if bool((kept <= fit.n * EPS).any()):  # kept is 1 - R^2 of the labels: S is 0 along the weights
        raise SondeError(
            "Within the classes the rows do not vary along a direction that separates them, so "
            "their covariance has no inverse.",
            fix=FIX,
        )
    weight = total / (kept * (1 - shrinkage))[:, None]
    bias = classes.bias(weight)
    if priors:
        odds = torch.logit(classes.share)
        bias = bias + torch.where(q > 0, odds, 0.0)
    return weight, bias


def _check(fit: Fit, least: float, width: int) -> None:
    if least <= 0 and fit.n - 2 < width:
        raise SondeError(
            f"The covariance of {fit.n} rows has no inverse in {width} coordinates.",
            fix=FIX,
        )


def _weights(
    fit: Fit, penalties: Float64[Tensor, " column"], least: float
) -> Float64[Tensor, "column column d_model"]:
    try:
        return fit.weights(penalties.tolist())
    except SondeError:  # of a ridge penalty, which nobody gave
        raise SondeError(
            f"At a shrinkage of {least:g} the covariance of {fit.n} rows has no inverse: some "
            "coordinates are sums of others.",
            fix=FIX if least <= 0 else "Give a larger shrinkage, such as shrinkage: ledoit_wolf.",
        ) from None
