"""Scores of predictions, one formula each, and the same formulas on bootstrap resamples.

Every metric takes the truth ``[row]`` and predictions ``[..., row]`` and scores along the last
axis. Those of a two-class truth (1 is the positive class, 0 the other) take logits or any score
whose sign decides: above 0 is a prediction of the positive class. An undefined score is NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sonde.stats.bootstrap import ENTRIES_AT_ONCE, Statistic

Truth = Float[np.ndarray, " row"]
Predicted = Float[np.ndarray, "*batch row"]
Numbers = np.ndarray | np.float64  # numpy makes a scalar of a lone number
Score = Float[np.ndarray, "*batch"] | np.float64


def r2(truth: Truth, predicted: Predicted) -> Score:
    """Coefficient of determination: 1 - sum (y - p)^2 / sum (y - mean(y))^2.

    1 is perfect, 0 no better than the mean of ``truth``, negative worse. Unitless; blind to a
    shift or scale of both. NaN where ``truth`` is constant.
    """
    return _r2(_r2_terms(truth, predicted).sum(axis=-2))


def pearson(truth: Truth, predicted: Predicted) -> Score:
    """Correlation: cov(y, p) / sqrt(var(y) var(p)).

    In [-1, 1], 0 is chance. Unitless; blind to a shift or positive scale of either. NaN where
    either is constant.
    """
    return _pearson(_pearson_terms(truth, predicted).sum(axis=-2))


def accuracy(truth: Truth, predicted: Predicted) -> Score:
    """Share of rows whose predicted class is right: (TP + TN) / n.

    In [0, 1]; chance is the larger class's share.
    """
    return _accuracy(_confusion_terms(truth, predicted).sum(axis=-2))


def balanced_accuracy(truth: Truth, predicted: Predicted) -> Score:
    """Mean of the two classes' recalls: (TP / positives + TN / negatives) / 2.

    In [0, 1]; a probe that always gives the same answer scores 0.5. NaN where a class is absent.
    """
    return _balanced_accuracy(_confusion_terms(truth, predicted).sum(axis=-2))


def auroc(truth: Truth, predicted: Predicted) -> Score:
    """Probability that a positive row scores above a negative one, ties counting half.

    (R - n1 (n1 + 1) / 2) / (n1 n0), R the sum of the positives' average ranks (Mann-Whitney U).
    In [0, 1], 0.5 is chance; blind to monotone maps of ``predicted``. NaN where a class is absent.
    """
    from scipy.stats import rankdata  # takes half a second, so only where it is needed

    positive = truth > 0.5
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if n1 == 0 or n0 == 0:
        return np.full(predicted.shape[:-1], np.nan)
    ranks = rankdata(predicted, axis=-1)[..., positive].sum(axis=-1)
    return np.asarray((ranks - n1 * (n1 + 1) / 2) / (n1 * n0))


# --- Sums over rows that decide a score, and the score from the sums. A bootstrap resamples the
# sums of each unit, so its cost does not depend on the number of rows.


def _r2_terms(truth: Truth, predicted: Predicted) -> Float[np.ndarray, "*batch row 4"]:
    y = truth - truth.mean()  # the formula ignores a common shift; rounding does not
    error = np.square(truth - predicted)
    return np.stack(np.broadcast_arrays(error, np.square(y), y, np.ones_like(y)), axis=-1)


def _r2(sums: Float[np.ndarray, "*batch 4"]) -> Score:
    error, squares, total, n = np.moveaxis(sums, -1, 0)
    return 1 - _ratio(error, squares - _ratio(np.square(total), n), squares)


def _pearson_terms(truth: Truth, predicted: Predicted) -> Float[np.ndarray, "*batch row 6"]:
    y = truth - truth.mean()
    p = predicted - predicted.mean(axis=-1, keepdims=True)
    terms = (y * p, np.square(y), np.square(p), y, p, np.ones_like(y))
    return np.stack(np.broadcast_arrays(*terms), axis=-1)


def _pearson(sums: Float[np.ndarray, "*batch 6"]) -> Score:
    product, squares_y, squares_p, y, p, n = np.moveaxis(sums, -1, 0)
    covariance = product - _ratio(y * p, n)
    variance_y = squares_y - _ratio(y * y, n)
    variance_p = squares_p - _ratio(p * p, n)
    undefined = (variance_y <= 1e-12 * squares_y) | (variance_p <= 1e-12 * squares_p)
    spread = np.sqrt(np.where(undefined, 1.0, variance_y * variance_p))
    return np.where(undefined, np.nan, np.clip(covariance / spread, -1, 1))


def _confusion_terms(truth: Truth, predicted: Predicted) -> Float[np.ndarray, "*batch row 4"]:
    positive, said = truth > 0.5, predicted > 0
    terms = (positive & said, ~positive & ~said, positive, ~positive)
    return np.stack(np.broadcast_arrays(*terms), axis=-1).astype(np.float64)


def _accuracy(sums: Float[np.ndarray, "*batch 4"]) -> Score:
    true_positive, true_negative, positives, negatives = np.moveaxis(sums, -1, 0)
    return _ratio(true_positive + true_negative, positives + negatives)


def _balanced_accuracy(sums: Float[np.ndarray, "*batch 4"]) -> Score:
    true_positive, true_negative, positives, negatives = np.moveaxis(sums, -1, 0)
    return (_ratio(true_positive, positives) + _ratio(true_negative, negatives)) / 2


def _ratio(above: Numbers, below: Numbers, scale: Numbers | float = 1.0) -> Numbers:
    """Divide; NaN where the denominator is zero, up to rounding of numbers of size ``scale``."""
    nothing = below <= 1e-12 * np.abs(scale)
    return np.where(nothing, np.nan, above / np.where(nothing, 1.0, below))


# --- The same on resamples.

Terms = Callable[[np.ndarray, np.ndarray], np.ndarray]
FromSums = Callable[[np.ndarray], Any]
Rows = Int[np.ndarray, " row"]


def _resampled_sums(terms: Terms, from_sums: FromSums) -> Callable[..., Statistic]:
    def prepare(truth: Truth, predicted: Truth, unit: Rows, n_units: int) -> Statistic:
        rows = terms(truth, predicted)
        by_unit = np.zeros((n_units, rows.shape[-1]))
        np.add.at(by_unit, unit, rows)
        return lambda weights: from_sums(weights @ by_unit)

    return prepare


def _resampled_auroc(truth: Truth, predicted: Predicted, unit: Rows, n_units: int) -> Statistic:
    """Weighted ranks: of each positive, the weight of negatives below it and half of those level.

    One sort serves all resamples.
    """
    order = np.argsort(predicted, kind="stable")
    in_order, positive = predicted[order], truth[order] > 0.5
    units = unit[order]
    starts = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])

    def some(weights: Float[np.ndarray, "resample unit"]) -> Float[np.ndarray, " resample"]:
        by_row = weights[:, units]
        above, below = by_row * positive, by_row * ~positive
        if len(starts) < len(in_order):
            above = np.add.reduceat(above, starts, axis=1)
            below = np.add.reduceat(below, starts, axis=1)
        beaten = np.cumsum(below, axis=1)
        n1, n0 = above.sum(axis=1), beaten[:, -1].copy()
        beaten -= below / 2
        return np.asarray(_ratio(np.einsum("rs,rs->r", above, beaten), n1 * n0))

    def statistic(weights: Float[np.ndarray, "resample unit"]) -> Float[np.ndarray, " resample"]:
        at_once = max(1, ENTRIES_AT_ONCE // len(units))  # units may have many rows each
        starts_at = range(0, len(weights), at_once)
        return np.concatenate([some(weights[start : start + at_once]) for start in starts_at])

    return statistic


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by name, with what a bootstrap and a reader need of it.

    ``resampled(truth, predicted, unit, n_units)`` takes one row of predictions and the unit each
    row belongs to, and gives the statistic of a resample's weights. More is better for each.
    """

    name: str
    chance: float
    value: Callable[[np.ndarray, np.ndarray], Any]
    resampled: Callable[[np.ndarray, np.ndarray, np.ndarray, int], Statistic]


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("r2", 0.0, r2, _resampled_sums(_r2_terms, _r2)),
        Metric("pearson", 0.0, pearson, _resampled_sums(_pearson_terms, _pearson)),
        Metric("accuracy", 0.5, accuracy, _resampled_sums(_confusion_terms, _accuracy)),
        Metric(
            "balanced_accuracy",
            0.5,
            balanced_accuracy,
            _resampled_sums(_confusion_terms, _balanced_accuracy),
        ),
        Metric("auroc", 0.5, auroc, _resampled_auroc),
    )
}
