"""Ridge regression, exact, from kernel or Gram matrices, whichever side is smaller."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from sonde.probes.coordinate_side import CoordinateSide
from sonde.probes.linear_fits import Side, by_repetition, held_out_rows, predictions
from sonde.probes.problem import Problem
from sonde.probes.reader import Linear, folded
from sonde.probes.row_side import RowSide


def smaller_side(problem: Problem) -> RowSide | CoordinateSide:
    """Prepare the side with the smaller matrices."""
    rows, width = problem.x.shape[1:]
    return RowSide.of(problem) if rows <= width else CoordinateSide.of(problem)


def ridge_solver(problem: Problem) -> "Ridge":
    """Prepare ridge fits: minimise sum (y - z w - b)^2 + penalty |w|^2, z standardised, b free."""
    return Ridge(smaller_side(problem))


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """Ridge fits of some layers, one after another: a layer's matrices live while it is fitted."""

    side: Side

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition target"]:
        """Fit without the folds ``left_out`` and predict their rows."""
        problem = self.side.problem
        said: list[Tensor] = []
        for layer in range(len(problem.x)):
            fit = self.side.fit(layer, left_out)
            x = held_out_rows(problem, layer, left_out)
            said.append(predictions(x, fit, fit.weights(penalties), fit.centre[None]))
        return by_repetition(problem, said)

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Linear, ...]:
        """Fit the labels on all rows."""
        targets = self.side.problem.y.shape[2]  # those of repetition 0 come first
        readers: list[Linear] = []
        for layer, alpha in enumerate(penalty.tolist()):
            fit = self.side.fit(layer, ()).first(targets)
            weight = fit.weights([alpha])
            readers += folded(weight, fit.centre[None], fit.mean[None], fit.scale[None])
        return tuple(readers)
