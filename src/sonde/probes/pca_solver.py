"""The first principal component as a probe: found without labels, turned by them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from sonde.probes.coordinate_side import CoordinateSide
from sonde.probes.fold_moments import GramFit
from sonde.probes.linear_fits import by_repetition, held_out_rows, predictions
from sonde.probes.principal_axis import axes_within_classes, principal_axis
from sonde.probes.problem import Problem
from sonde.probes.reader import Linear, folded
from sonde.probes.ridge_solver import smaller_side
from sonde.probes.row_side import KernelFit, RowSide
from sonde.probes.two_classes import TwoClasses

Centring: TypeAlias = Literal["all", "class"]


def pca_solver(problem: Problem, *, centring: Centring = "all", standardise: bool = False) -> "Pca":
    """Prepare first principal components: weight = +- the unit vector of most variance.

    The rows are centred by the mean of ``all``, or each by that of its ``class``; with
    ``standardise`` each coordinate is divided by its standard deviation first, without which the
    massive dimensions of a residual stream are most of its variance. The sign puts the mean of
    class 1 above that of class 0 in the training folds; zero lies midway between them.
    """
    return Pca(smaller_side(problem), centring, standardise)


@dataclass(frozen=True, slots=True, eq=False)
class Pca:
    """Principal components of some layers. With ``all`` the shuffles of the labels share one."""

    side: RowSide | CoordinateSide
    centring: Centring
    standardise: bool

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition one"]:
        """Fit without the folds ``left_out`` and predict their rows; there is no penalty."""
        problem = self.side.problem
        said: list[Tensor] = []
        for layer in range(len(problem.x)):
            fit = self._prepared(self.side.fit(layer, left_out))
            weight, bias = component(fit, self.centring)
            x = held_out_rows(problem, layer, left_out)
            said.append(
                predictions(x, fit, weight[None], bias[None]).expand(len(penalties), -1, -1)
            )
        return by_repetition(problem, said)

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Linear, ...]:
        """Fit the labels on all rows."""
        readers: list[Linear] = []
        for layer in range(len(self.side.problem.x)):
            fit = self._prepared(self.side.fit(layer, ()).first(1))
            weight, bias = component(fit, self.centring)
            readers += folded(weight[None], bias[None], fit.mean[None], fit.scale[None])
        return tuple(readers)

    def _prepared(self, fit: GramFit | KernelFit) -> GramFit | KernelFit:
        return fit if self.standardise else fit.unscaled()


def component(
    fit: GramFit | KernelFit, centring: Centring
) -> tuple[Float64[Tensor, "column d_model"], Float64[Tensor, " column"]]:
    """Return the signed axis and its intercept for each repetition of the labels."""
    classes = TwoClasses.of_fit(fit)
    if centring == "all":
        axes = principal_axis(fit).expand_as(classes.difference)
    else:
        axes = axes_within_classes(fit)
    along = torch.einsum("cd,cd->c", axes, classes.difference)
    weight = torch.where(along < 0, -1.0, 1.0)[:, None] * axes
    return weight, classes.bias(weight)
