"""AUROC from placement values: DeLong's variance, and limits that hold near 1."""

from functools import partial
from math import inf

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.stats.interval import Interval
from sonde.stats.score_limits import ScoreLimits

Rows = Float[np.ndarray, " row"]

ANCHOR = 0.3  # by simulation: AUROC .96 of 100 rows is covered in 94 to 97 %, whatever the scores


def placements(truth: Rows, predicted: Rows) -> Rows:
    """Return each row's placement: the share of the other class on its right side, ties half.

    Of a positive row the share of negatives below it, of a negative row that of positives above
    it. AUROC is the mean placement of either class. Both classes must be there.
    """
    positive = truth > 0.5
    above, below = np.sort(predicted[positive]), np.sort(predicted[~positive])
    found = np.empty(len(truth))
    found[positive] = _rank(below, predicted[positive]) / len(below)
    found[~positive] = 1 - _rank(above, predicted[~positive]) / len(above)
    return found


def _rank(among: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How many lie below each value, those level with it counting half."""
    return (np.searchsorted(among, values, "left") + np.searchsorted(among, values, "right")) / 2


def auroc_influence(truth: Rows, predicted: Rows) -> tuple[float, Rows]:
    """Return AUROC and what each row moves it by: (placement - AUROC) / rows of its class."""
    positive = truth > 0.5
    placed = placements(truth, predicted)
    value = float(placed[positive].mean())
    return value, (placed - value) / np.where(positive, positive.sum(), (~positive).sum())


def delong_interval(truth: Rows, predicted: Rows, level: float = 0.95) -> Interval:
    """Return AUROC +- z standard errors of DeLong, DeLong and Clarke-Pearson (1988).

    The variance is var(placements of positives) / n1 + var(placements of negatives) / n0. The
    interval is symmetrical, may pass 1, and covers too rarely near 1 in small samples, where
    ``interval_of`` holds. Rows count as independent.

    Raises:
        SondeError: a class has fewer than two rows.
    """
    correction = _correction(truth)
    value, influence = auroc_influence(truth, predicted)
    return _normal(value, correction * influence, level)


def delong_difference(truth: Rows, first: Rows, second: Rows, level: float = 0.95) -> Interval:
    """Return AUROC(first) - AUROC(second) on the same rows, +- z of DeLong's standard errors.

    The variance comes from the difference of each row's two placements, which is what DeLong's
    covariance matrix amounts to.

    Raises:
        SondeError: a class has fewer than two rows.
    """
    correction = _correction(truth)
    one, of_one = auroc_influence(truth, first)
    other, of_other = auroc_influence(truth, second)
    return _normal(one - other, correction * (of_one - of_other), level)


def _correction(truth: Rows) -> Rows:
    """Return sqrt(n / (n - 1)) of each row's class."""
    positive = truth > 0.5
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if min(n1, n0) < 2:
        raise SondeError(
            f"There are {n1} positive and {n0} negative rows.", fix="Give two of each at least."
        )
    return np.sqrt(np.where(positive, n1 / (n1 - 1), n0 / (n0 - 1)))


def _normal(value: float, influence: Rows, level: float) -> Interval:
    from scipy.special import ndtri

    reach = float(ndtri((1 + level) / 2) * np.sqrt(influence @ influence))
    return Interval(value, value - reach, value + reach, len(influence), level)


def model_rows(theta: float, n1: int, n0: int, scale: float = 1.0) -> float:
    """Return theta (1 - theta) over the variance of an AUROC of ``theta`` of exponential scores.

    n1 n0 / (1 + m (1 - theta) / (2 - theta) + m theta / (1 + theta)), m = (n1 + n0) / 2 - 1, over
    ``scale``: Hanley and McNeil (1982) made symmetrical by Newcombe (2006, method 5).
    """
    m = (n1 + n0) / 2 - 1
    return n1 * n0 / (1 + m * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / scale


def model_variance(theta: float, n1: int, n0: int) -> float:
    """Return the variance of an AUROC of ``theta`` of exponential scores."""
    return theta * (1 - theta) / model_rows(theta, n1, n0)


def auroc_limits(
    value: float, counts: tuple[int, int], alike: float, df: float, variance: float
) -> tuple[ScoreLimits, float]:
    """Return the score limits of an AUROC (Newcombe 2006, method 5), scaled to the data's variance.

    The model's variance has the right shape near 0 and 1 and does not vanish with perfect
    separation; DeLong's has the right size for scores that are not exponential, tied or grouped.
    So the model is scaled by their ratio at the value. Near 1, where both vanish, the ratio is
    drawn to 1 by ANCHOR misplaced rows, to ``alike`` in groups whose rows would all be alike. The
    degrees of freedom ``df`` of DeLong's variance, returned beside, grow as it counts for less.
    """
    n1, n0 = counts
    one = model_variance(1 - ANCHOR / (n1 * n0) ** 0.5, n1, n0) * alike
    scale = (variance + one) / (model_variance(value, n1, n0) + one / alike)
    if min(counts) < 2:  # the spread within that class is unknown
        scale = max(scale, alike)
    limits = ScoreLimits(value, partial(model_rows, n1=n1, n0=n0, scale=scale))
    return limits, df * ((variance + one) / variance) ** 2 if variance > 0 else inf
