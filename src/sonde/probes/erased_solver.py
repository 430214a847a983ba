"""Any kind of probe on erased activations: in each fit the eraser is fitted anew."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sonde.probes.leace import Method, erasure_of_rows
from sonde.probes.problem import Problem
from sonde.probes.reader import Reader
from sonde.probes.solver import Prepare, Solver

# The eraser's rows: the probe's own training rows, or others, so that what an eraser leaves in
# text that it has not seen can be found.
Fitted: TypeAlias = Literal["same", "apart"]
Concept: TypeAlias = Callable[[Float[Tensor, "row target"]], Float[Tensor, "row concept"]]


@dataclass(frozen=True, slots=True, eq=False)
class ErasedSolver:
    """Layers from which the labels (repetition 0) are erased before a probe is fitted to them.

    With ``same`` the eraser sees the training rows of the probe. With ``apart`` the training folds
    are shared out: the eraser gets half of them, rounded down, the probe the rest.
    """

    problem: Problem
    prepare: Prepare
    concept: Concept
    method: Method
    rows: Fitted

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition output"]:
        """Erase and fit without the folds ``left_out``; predict their erased rows."""
        problem, left = self.problem, tuple(left_out)
        kept = [fold for fold in range(problem.n_folds) if fold not in left]
        if self.rows == "same":
            return self._erased(problem.outside(left)).held_out(left, penalties)
        given = tuple(kept[: len(kept) // 2])
        solver = self._erased(torch.isin(problem.folds, torch.tensor(given).to(problem.folds)))
        said = solver.held_out((*left, *given), penalties)
        return said[:, :, ~problem.outside(left)[~problem.outside((*left, *given))]]

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Reader, ...]:
        """Erase by all rows and fit all rows; the readers read erased activations."""
        every = torch.ones_like(self.problem.folds, dtype=torch.bool)
        return self._erased(every).final(penalty)

    def _erased(self, rows: Bool[Tensor, " row"]) -> Solver:
        concept = self.concept(self.problem.y[rows, 0])
        layers = [erasure_of_rows(x[rows], concept, self.method)(x) for x in self.problem.x]
        return self.prepare(replace(self.problem, x=torch.stack(layers)))
