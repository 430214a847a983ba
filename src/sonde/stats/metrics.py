"""Scores of predictions, one formula each.

Every metric takes the truth ``[row]`` and predictions ``[..., row]`` and scores along the last
axis. Those of a two-class truth (1 is the positive class, 0 the other) take logits or any score
whose sign decides: above 0 is a prediction of the positive class. Those of several classes take the
number of the true class and that of the class that was said. An undefined score is NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sonde.stats.bootstrap import Statistic
from sonde.stats.resampled import resampled_auroc, resampled_sums
from sonde.stats.sums import (
    ACCURACY,
    BALANCED_ACCURACY,
    CLASS_ACCURACY,
    MACRO_RECALL,
    MEAN,
    PEARSON,
    R2,
    RATIO,
    Predicted,
    Score,
    SmoothSums,
    Sums,
    Truth,
)


def mean(_: Any, predicted: Predicted) -> Score:
    """Mean of the values themselves, sum x / n, in their unit; the truth is not used."""
    return MEAN.score(MEAN.terms(None, predicted).sum(axis=-2))


def ratio_of_sums(truth: Truth, predicted: Predicted) -> Score:
    """Ratio of sums, sum p / sum y: ``predicted`` stands above the line, ``truth`` below.

    In the unit of p over that of y; blind to a scale of both, and to how rows are gathered. NaN
    where the sum below is not positive.
    """
    return RATIO.score(RATIO.terms(truth, predicted).sum(axis=-2))


def r2(truth: Truth, predicted: Predicted) -> Score:
    """Coefficient of determination: 1 - sum (y - p)^2 / sum (y - mean(y))^2.

    1 is perfect, 0 no better than the mean of ``truth``, negative worse. Unitless; blind to a
    shift or scale of both. NaN where ``truth`` is constant.
    """
    return R2.score(R2.terms(truth, predicted).sum(axis=-2))


def pearson(truth: Truth, predicted: Predicted) -> Score:
    """Correlation: cov(y, p) / sqrt(var(y) var(p)).

    In [-1, 1], 0 is chance. Unitless; blind to a shift or positive scale of either. NaN where
    either is constant.
    """
    return PEARSON.score(PEARSON.terms(truth, predicted).sum(axis=-2))


def accuracy(truth: Truth, predicted: Predicted) -> Score:
    """Share of rows whose predicted class is right: (TP + TN) / n.

    In [0, 1]; chance is the larger class's share.
    """
    return ACCURACY.score(ACCURACY.terms(truth, predicted).sum(axis=-2))


def balanced_accuracy(truth: Truth, predicted: Predicted) -> Score:
    """Mean of the two classes' recalls: (TP / positives + TN / negatives) / 2.

    In [0, 1]; a probe that always gives the same answer scores 0.5. NaN where a class is absent.
    """
    return BALANCED_ACCURACY.score(BALANCED_ACCURACY.terms(truth, predicted).sum(axis=-2))


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


def class_accuracy(truth: Truth, predicted: Predicted) -> Score:
    """Share of rows whose class was said, among any number of classes: sum [p = y] / n.

    In [0, 1]; chance is the largest class's share.
    """
    return CLASS_ACCURACY.score(CLASS_ACCURACY.terms(truth, predicted).sum(axis=-2))


def macro_recall(truth: Truth, predicted: Predicted) -> Score:
    """Mean of the classes' recalls, over the K classes that occur: sum_k (n_kk / n_k) / K.

    In [0, 1]; always giving the same answer scores 1 / K. Balanced accuracy, for any number of
    classes. NaN where fewer than two classes occur.
    """
    classes, of_row, rows = np.unique(truth, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        return np.full(predicted.shape[:-1], np.nan)
    share = 1 / (len(classes) * rows[of_row.reshape(-1)])
    return np.asarray((predicted == truth).astype(np.float64) @ share)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by name, with what an interval and a reader need of it.

    ``floor`` and ``ceiling`` are the ends of its range (infinite where it has none), ``chance``
    what a guess is worth (NaN where the word means nothing). ``resampled(truth, predicted, unit,
    n_units)`` takes one row of predictions and the unit each row belongs to, and gives the
    statistic of a resample's weights. ``smooth`` is there where the score is a smooth function of
    sums. ``two_classes`` is True where the truth is 0 or 1 and predictions count by their sign and
    order alone. ``has_truth`` is False of means of the values themselves. More is better, except
    where ``directed`` is False: of means and ratios it is for the user to say.
    """

    name: str
    chance: float
    value: Callable[[Any, np.ndarray], Any]
    resampled: Callable[[Any, np.ndarray, np.ndarray, int], Statistic]
    floor: float = 0.0
    ceiling: float = 1.0
    smooth: SmoothSums | None = None
    two_classes: bool = False
    has_truth: bool = True
    directed: bool = True


def _of_sums(
    name: str, chance: float, value: Callable[[Any, np.ndarray], Any], sums: Sums, **more: Any
) -> Metric:
    smooth = sums if isinstance(sums, SmoothSums) else None
    return Metric(name, chance, value, partial(resampled_sums, sums), smooth=smooth, **more)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _of_sums(
            "mean",
            np.nan,
            mean,
            MEAN,
            floor=-np.inf,
            ceiling=np.inf,
            has_truth=False,
            directed=False,
        ),
        # A mean of values that cannot lie outside 0 to 1, such as shares of a scale.
        _of_sums("share", np.nan, mean, MEAN, has_truth=False, directed=False),
        _of_sums(
            "ratio", np.nan, ratio_of_sums, RATIO, floor=-np.inf, ceiling=np.inf, directed=False
        ),
        _of_sums("r2", 0.0, r2, R2, floor=-np.inf),
        _of_sums("pearson", 0.0, pearson, PEARSON, floor=-1.0),
        _of_sums("accuracy", 0.5, accuracy, ACCURACY, two_classes=True),
        _of_sums("balanced_accuracy", 0.5, balanced_accuracy, BALANCED_ACCURACY, two_classes=True),
        # Chance depends on how many classes there are, and on their shares.
        _of_sums("class_accuracy", np.nan, class_accuracy, CLASS_ACCURACY),
        _of_sums("macro_recall", np.nan, macro_recall, MACRO_RECALL),
        Metric("auroc", 0.5, auroc, resampled_auroc, two_classes=True),
    )
}
