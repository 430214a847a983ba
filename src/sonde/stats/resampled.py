"""Metrics on bootstrap resamples, from how often each unit was drawn."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sonde.stats.bootstrap import ENTRIES_AT_ONCE, Statistic
from sonde.stats.sums import Sums, Truth, ratio

Rows = Int[np.ndarray, " row"]


def unit_sums(sums: Sums, truth: Any, predicted: Truth, unit: Rows, n_units: int) -> np.ndarray:
    """Return the sums of each unit's rows, ``[unit, K]``."""
    rows = sums.terms(truth, predicted)
    columns = [
        np.bincount(unit, weights=rows[:, column], minlength=n_units)
        for column in range(rows.shape[1])
    ]
    return np.stack(columns, axis=1)


def resampled_sums(sums: Sums, truth: Any, predicted: Truth, unit: Rows, n_units: int) -> Statistic:
    """Return the score's statistic: weights times each unit's sums decide it."""
    by_unit = unit_sums(sums, truth, predicted, unit, n_units)
    return lambda weights: np.asarray(sums.score(weights @ by_unit))


def resampled_auroc(truth: Truth, predicted: Truth, unit: Rows, n_units: int) -> Statistic:
    """Return AUROC's statistic: of each positive, the weight of negatives below it.

    Negatives level with it count half. One sort serves all resamples.
    """
    positive = truth > 0.5
    rising = np.argsort(predicted, kind="stable")
    above, below = rising[positive[rising]], rising[~positive[rising]]
    lower = np.searchsorted(predicted[below], predicted[above], side="left")
    level = np.searchsorted(predicted[below], predicted[above], side="right")
    tied = bool((lower != level).any())
    unit_above, unit_below = unit[above], unit[below]

    def some(weights: Float[np.ndarray, "resample unit"]) -> Float[np.ndarray, " resample"]:
        wins = weights.take(unit_above, axis=1)
        beaten = np.zeros((len(weights), len(below) + 1))
        np.cumsum(weights.take(unit_below, axis=1), axis=1, out=beaten[:, 1:])
        n1, n0 = wins.sum(axis=1), beaten[:, -1]
        won = np.einsum("rp,rp->r", wins, beaten.take(lower, axis=1))
        if tied:
            won = (won + np.einsum("rp,rp->r", wins, beaten.take(level, axis=1))) / 2
        return np.asarray(ratio(won, n1 * n0))

    def statistic(weights: Float[np.ndarray, "resample unit"]) -> Float[np.ndarray, " resample"]:
        at_once = max(1, ENTRIES_AT_ONCE // max(1, len(unit)))  # units may have many rows each
        starts_at = range(0, len(weights), at_once)
        return np.concatenate([some(weights[start : start + at_once]) for start in starts_at])

    return statistic
