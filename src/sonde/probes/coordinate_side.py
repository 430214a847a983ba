"""The ``[d_model, d_model]`` side: more rows than coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass

from sonde.probes.fold_moments import FoldMoments, GramFit
from sonde.probes.linear_fits import columns
from sonde.probes.problem import Problem


@dataclass(frozen=True, slots=True, eq=False)
class CoordinateSide:
    """Moments of each fold, formed once and merged for each choice of folds."""

    problem: Problem
    layers: tuple[FoldMoments, ...]

    @classmethod
    def of(cls, problem: Problem) -> "CoordinateSide":
        """Take the moments of each fold."""
        y = columns(problem)
        found = [FoldMoments.of_rows(x.double(), y, problem.folds) for x in problem.x]
        return cls(problem, tuple(found))

    def fit(self, layer: int, left_out: Sequence[int]) -> GramFit:
        """Merge the moments of all folds but some."""
        kept = [fold for fold in range(self.problem.n_folds) if fold not in left_out]
        return self.layers[layer].over(kept)
