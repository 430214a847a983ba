"""The searches whose claims are simulated: sonde's own probes, and what they are truly worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.trust.planted import Planted, true_auroc, true_r2
from sonde.core.hooks import HookPoint
from sonde.probes import ProbeResults, logistic, mean_difference, ridge
from sonde.probes.logistic_solver import logistic_solver
from sonde.probes.mean_solver import mean_solver
from sonde.probes.problem import Problem
from sonde.probes.ridge_solver import ridge_solver
from sonde.probes.scored import Scored
from sonde.stats import Scores

FITS = {"logistic": logistic, "mean_difference": mean_difference, "ridge": ridge}
SOLVERS = {"logistic": logistic_solver, "mean_difference": mean_solver, "ridge": ridge_solver}


@dataclass(frozen=True, slots=True)
class Search:
    """A probe at every layer, with every penalty, as a user fits it.

    What it found is worth the score, on fresh rows, of the probes that its outer folds chose and
    fitted. What it is worth itself is the expectation of that over data sets.
    """

    kind: Literal["logistic", "mean_difference", "ridge"] = "mean_difference"
    penalties: tuple[float, ...] = ()
    folds: int = 5

    @property
    def metric(self) -> str:
        return "r2" if self.kind == "ridge" else "auroc"

    def fit(self, data: Planted, seed: int, folds: int | None = None) -> ProbeResults:
        """Fit; controls and the probes' own intervals are not looked at."""
        given = {"penalties": self.penalties} if self.penalties else {}
        return FITS[self.kind](
            data.acts,
            data.labels.astype(np.float64),
            folds=folds or self.folds,
            seed=seed,
            resamples=1,
            shuffles=0,
            directions=0,
            baseline=False,
            **given,
        )

    def scores(self, scored: Scored) -> Scores:
        return scored.scores(self.metric)

    def worth_found(
        self, data: Planted, results: ProbeResults, at: HookPoint | None = None
    ) -> float:
        """Return the true score of the probes that were found: the mean over the outer folds'.

        Each is fitted again, by the same solver, at the place (or ``at``) and with the penalty that
        its fold chose.
        """
        import torch

        selection, rows = results.selection, data.acts.rows.example
        fold = dict(zip(selection.scored.example, selection.scored.fold, strict=True))
        fold_of_row = np.array([fold[name] for name in rows])
        true = []
        for number, (hook, penalty) in enumerate(
            zip(selection.hooks, selection.penalties, strict=True)
        ):
            train = torch.from_numpy(np.flatnonzero(fold_of_row != number))
            x = data.acts.tensor(at or hook)[train].to(torch.float64)[None]
            y = torch.from_numpy(data.labels.astype(np.float64))[train]
            (fitted,) = SOLVERS[self.kind](Problem.plain(x, y)).final(
                torch.tensor([penalty], dtype=torch.float64)
            )
            true.append(self._true(fitted.weight[0].numpy(), float(fitted.bias), data, at or hook))
        return float(np.mean(true))

    def worth(self, train: Planted, seed: int) -> np.ndarray:
        """Return the true scores of what a training set gives: ``[chosen, layer 0, layer 1 …]``.

        In expectation over training sets of an outer fold's size that is what the search is worth.

        ``train`` has one fold fewer than the search, so that its folds are the inner ones that the
        search's other outer folds make.
        """
        results = self.fit(train, seed, self.folds - 1)
        inner = [max(score for _, score in layer.by_penalty) for layer in results.layers]
        true = [
            self._true(layer.probe.weight.numpy(), layer.probe.bias, train, layer.hook)
            for layer in results.layers
        ]
        return np.array([true[int(np.argmax(inner))], *true])

    def _true(self, weight: np.ndarray, bias: float, data: Planted, hook: HookPoint) -> float:
        mean = data.means[data.acts.hooks.index(hook)]
        if self.kind != "ridge":
            return true_auroc(weight, mean)
        return true_r2(weight, bias, mean, float(np.square(data.means).sum()) + 1)


def renamed(scores: Scores, prefix: str) -> Scores:
    """Give the units names of their own, as those of another data set have."""
    unit = np.char.add(prefix, scores.unit)
    return Scores(
        scores.metric, unit, scores.predicted, scores.truth, cross_validated=scores.cross_validated
    )


def as_given(parts: Sequence[Scores]) -> list[Scores]:
    """Take the fits as given, forgetting that the same rows trained them."""
    return [Scores(one.metric, one.unit, one.predicted, one.truth) for one in parts]
