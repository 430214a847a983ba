"""Scores that are functions of sums over rows, with what a resample and a gradient need of them.

A bootstrap resamples the sums of each unit, so its cost does not depend on the number of rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

Truth = Float[np.ndarray, " row"]
Predicted = Float[np.ndarray, "*batch row"]
Numbers = np.ndarray | np.float64  # numpy makes a scalar of a lone number
Score = Float[np.ndarray, "*batch"] | np.float64


@dataclass(frozen=True, slots=True)
class Sums:
    """``score(terms(truth, predicted).sum(over rows))``; K terms a row."""

    terms: Callable[[Any, np.ndarray], np.ndarray]  # [*batch, row, K]
    score: Callable[[np.ndarray], Any]  # from [*batch, K]


@dataclass(frozen=True, slots=True)
class SmoothSums(Sums):
    """Sums with the score's gradient, and the scale on which its spread depends least on its size.

    ``gradient`` is of the score by each sum, ``[*batch, K]``. Doubling all rows doubles the sums
    and leaves the score, so gradient . sums = 0 (Euler). ``link`` rises with the score,
    ``slope`` is d link / d score, ``inverse`` leads back.
    """

    gradient: Callable[[np.ndarray], np.ndarray]
    link: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    inverse: Callable[[Any], Any]


def ratio(above: Numbers, below: Numbers, scale: Numbers | float = 1.0) -> Numbers:
    """Divide; NaN where the denominator is zero, up to rounding of numbers of size ``scale``."""
    nothing = below <= 1e-12 * np.abs(scale)
    return np.where(nothing, np.nan, above / np.where(nothing, 1.0, below))


# --- Mean: sums of value and 1.


def _mean_terms(_: Any, predicted: Predicted) -> Float[np.ndarray, "*batch row 2"]:
    return np.stack([predicted, np.ones_like(predicted)], axis=-1)


def _mean(sums: Float[np.ndarray, "*batch 2"]) -> Score:
    return ratio(sums[..., 0], sums[..., 1])


def _mean_gradient(sums: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
    total, n = np.moveaxis(sums, -1, 0)
    return np.stack([ratio(np.ones_like(n), n), -ratio(total, n**2)], axis=-1)


# --- Ratio: sums of what stands above the line and what stands below.


def _ratio_terms(truth: Truth, predicted: Predicted) -> Float[np.ndarray, "*batch row 2"]:
    return np.stack(np.broadcast_arrays(predicted, truth), axis=-1).astype(np.float64)


def _ratio(sums: Float[np.ndarray, "*batch 2"]) -> Score:
    return ratio(sums[..., 0], sums[..., 1], sums[..., 0])


def _ratio_gradient(sums: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 2"]:
    above, below = np.moveaxis(sums, -1, 0)
    by_above = ratio(np.ones_like(below), below, above)
    return np.stack([by_above, -above * np.square(by_above)], axis=-1)


# --- R2: sums of squared error, y^2, y and 1.


def _r2_terms(truth: Truth, predicted: Predicted) -> Float[np.ndarray, "*batch row 4"]:
    y = truth - truth.mean()  # the formula ignores a common shift; rounding does not
    error = np.square(truth - predicted)
    return np.stack(np.broadcast_arrays(error, np.square(y), y, np.ones_like(y)), axis=-1)


def _r2(sums: Float[np.ndarray, "*batch 4"]) -> Score:
    error, squares, total, n = np.moveaxis(sums, -1, 0)
    return 1 - ratio(error, squares - ratio(np.square(total), n), squares)


def _r2_gradient(sums: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch 4"]:
    error, squares, total, n = np.moveaxis(sums, -1, 0)
    mean = ratio(total, n)
    spread = squares - total * mean
    by_error = -ratio(np.ones_like(spread), spread, squares)
    by_squares = error * np.square(by_error)
    return np.stack(
        [by_error, by_squares, -2 * mean * by_squares, np.square(mean) * by_squares], axis=-1
    )


# --- Pearson: sums of y p, y^2, p^2, y, p and 1.


def _pearson_terms(truth: Truth, predicted: Predicted) -> Float[np.ndarray, "*batch row 6"]:
    y = truth - truth.mean()
    p = predicted - predicted.mean(axis=-1, keepdims=True)
    terms = (y * p, np.square(y), np.square(p), y, p, np.ones_like(y))
    return np.stack(np.broadcast_arrays(*terms), axis=-1)


def _moments(sums: np.ndarray) -> tuple[Numbers, Numbers, Numbers]:
    """Return n times the covariance and the variances of y and p; NaN where one is constant."""
    product, squares_y, squares_p, y, p, n = np.moveaxis(sums, -1, 0)
    covariance = product - ratio(y * p, n)
    variance_y = squares_y - ratio(y * y, n)
    variance_p = squares_p - ratio(p * p, n)
    undefined = (variance_y <= 1e-12 * squares_y) | (variance_p <= 1e-12 * squares_p)
    return covariance, np.where(undefined, np.nan, variance_y), variance_p


def _pearson(sums: Float[np.ndarray, "*batch 6"]) -> Score:
    covariance, variance_y, variance_p = _moments(sums)
    return np.clip(covariance / np.sqrt(variance_y * np.abs(variance_p)), -1, 1)


def _pearson_gradient(sums: Float[np.ndarray, "*batch 6"]) -> Float[np.ndarray, "*batch 6"]:
    covariance, variance_y, variance_p = _moments(sums)
    mean_y, mean_p = ratio(sums[..., 3], sums[..., 5]), ratio(sums[..., 4], sums[..., 5])
    by_product = 1 / np.sqrt(variance_y * np.abs(variance_p))
    r = covariance * by_product
    by_y, by_p = -r / (2 * variance_y), -r / (2 * np.where(variance_p > 0, variance_p, np.nan))
    parts = (
        by_product,
        by_y,
        by_p,
        -by_product * mean_p - 2 * by_y * mean_y,
        -by_product * mean_y - 2 * by_p * mean_p,
        by_product * mean_y * mean_p + by_y * mean_y**2 + by_p * mean_p**2,
    )
    return np.stack(parts, axis=-1)


# --- Two classes: sums of true positives, true negatives, positives and negatives.


def _confusion_terms(truth: Truth, predicted: Predicted) -> Float[np.ndarray, "*batch row 4"]:
    positive, said = truth > 0.5, predicted > 0
    terms = (positive & said, ~positive & ~said, positive, ~positive)
    return np.stack(np.broadcast_arrays(*terms), axis=-1).astype(np.float64)


def _accuracy(sums: Float[np.ndarray, "*batch 4"]) -> Score:
    true_positive, true_negative, positives, negatives = np.moveaxis(sums, -1, 0)
    return ratio(true_positive + true_negative, positives + negatives)


def _balanced_accuracy(sums: Float[np.ndarray, "*batch 4"]) -> Score:
    true_positive, true_negative, positives, negatives = np.moveaxis(sums, -1, 0)
    return (ratio(true_positive, positives) + ratio(true_negative, negatives)) / 2


# --- Several classes: sums of right rows and rows, of all or of each class that is true of some.


def _class_accuracy_terms(truth: Truth, predicted: Predicted) -> Float[np.ndarray, "*batch row 2"]:
    right = (predicted == truth).astype(np.float64)
    return np.stack([right, np.ones_like(right)], axis=-1)


def _macro_recall_terms(truth: Truth, predicted: Predicted) -> Float[np.ndarray, "*batch row K"]:
    of_class = truth[:, None] == np.unique(truth)
    right = (predicted == truth)[..., None] & of_class
    both = np.broadcast_arrays(right, of_class)
    return np.concatenate(both, axis=-1).astype(np.float64)


def _macro_recall(sums: Float[np.ndarray, "*batch K"]) -> Score:
    right, rows = np.split(sums, 2, axis=-1)
    there = rows > 0
    recalls = np.where(there, right / np.where(there, rows, 1.0), 0.0)
    n_classes = there.sum(axis=-1)
    return np.where(n_classes > 1, recalls.sum(axis=-1) / np.maximum(n_classes, 1), np.nan)


def _same(value: Any) -> Any:
    return value


def _log_explained(value: Any) -> Any:
    """-log(1 - R2), minus the log of a ratio of variances: nearly normal however close to 1."""
    return -np.log(1 - value)


MEAN = SmoothSums(_mean_terms, _mean, _mean_gradient, _same, np.ones_like, _same)
RATIO = SmoothSums(_ratio_terms, _ratio, _ratio_gradient, _same, np.ones_like, _same)
R2 = SmoothSums(
    _r2_terms,
    _r2,
    _r2_gradient,
    _log_explained,
    lambda value: 1 / (1 - value),
    lambda linked: -np.expm1(-linked),
)
# Fisher's z.
PEARSON = SmoothSums(
    _pearson_terms,
    _pearson,
    _pearson_gradient,
    np.arctanh,
    lambda value: 1 / (1 - np.square(value)),
    np.tanh,
)
ACCURACY = Sums(_confusion_terms, _accuracy)
BALANCED_ACCURACY = Sums(_confusion_terms, _balanced_accuracy)
CLASS_ACCURACY = Sums(_class_accuracy_terms, _mean)
MACRO_RECALL = Sums(_macro_recall_terms, _macro_recall)
