"""Metrics made of estimates in [0, 1]: shares of right rows, recalls, AUROC."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import numpy as np
from jaxtyping import Bool, Float, Int

from sonde.stats.delong import auroc_influence, auroc_limits
from sonde.stats.limits import Fixed, Limits, Profile
from sonde.stats.metrics import METRICS
from sonde.stats.proportion import effective_rows, is_binary, proportion_limits
from sonde.stats.score_limits import ScoreLimits
from sonde.stats.scores import Scores
from sonde.stats.units import RowUnits, Shared

Rows = Float[np.ndarray, " row"]

BOUNDED = ("accuracy", "balanced_accuracy", "class_accuracy", "macro_recall", "auroc")


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A number in [0, 1] computed from the rows of one part.

    ``influence`` is what each row moves it by. ``limits`` makes its limits of its variance over
    units, with their degrees of freedom. ``grain`` is the step in which a share moves, one row of
    n or one group, 0 of others.
    """

    value: float
    influence: Rows
    limits: Callable[[float], tuple[ScoreLimits, float]]
    grain: float


def is_bounded(scores: Scores) -> bool:
    """Whether the metric is made of such estimates; a mean is where all values are 0 or 1."""
    if not METRICS[scores.metric].has_truth:
        return is_binary(scores.predicted)
    return scores.metric in BOUNDED


def bounded(
    parts: Sequence[Scores], weights: Sequence[float], shared: Shared
) -> tuple[float, float, Limits]:
    """Return the weighted sum of the parts' metrics, its standard error and its limits."""
    found: list[Estimate] = []
    factors: list[float] = []
    of: list[int] = []
    for number, (part, weight) in enumerate(zip(parts, weights, strict=True)):
        some = estimates(part, shared.parts[number])
        found += some
        factors += [weight / len(some)] * len(some)
        of += [number] * len(some)
    c = np.array(factors)
    value = float(c @ [one.value for one in found])
    if min(units.count(np.ones(len(units.first))) for units in shared.parts) < 2:
        return value, np.nan, Fixed(np.nan, 0)
    covariance = shared.covariance(of, [one.influence for one in found])
    stretch = np.array([parts[one].stretch for one in of])
    widened = covariance * np.outer(stretch, stretch)
    made = [one.limits(float(v)) for one, v in zip(found, np.diag(covariance), strict=True)]
    limits = Profile(
        tuple(replace(one, stretch=float(by)) for (one, _), by in zip(made, stretch, strict=True)),
        c,
        _correlation(covariance, c, np.array([one.grain for one in found])),
        _degrees_of_freedom(shared, of, c, widened, [df for _, df in made]),
    )
    return value, float(np.sqrt(max(c @ widened @ c, 0.0))), limits


def _correlation(covariance: np.ndarray, weights: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Return the correlations; 0 where an estimate shows no spread.

    Of two shares that are compared, a row's worth of covariance is taken off: rows that agree
    throughout do not prove that all would. It leaves +-1.96 sqrt(2) / n of n such rows, as two
    added disagreements do (Bonett and Price 2012); half as much (Newcombe 1998, method 10) covers
    85 % of cases where two rows in a hundred are expected to differ, all one way.
    """
    against = (np.outer(weights, weights) < 0) & (covariance > 0)
    less = np.where(against, np.outer(grain, grain), 0.0)
    covered = np.where(against, np.maximum(covariance - less, 0), covariance)
    spread = np.sqrt(np.diag(covariance))
    scale = np.outer(spread, spread)
    found = np.where(scale > 0, covered / np.where(scale > 0, scale, 1.0), 0.0)
    np.fill_diagonal(found, 1.0)
    return np.clip(found, -1, 1)


def _degrees_of_freedom(
    shared: Shared,
    of: Sequence[int],
    weights: np.ndarray,
    covariance: np.ndarray,
    df: Sequence[float],
) -> float:
    """Return Welch and Satterthwaite's degrees of freedom over parts that share no unit."""
    total = doubtful = 0.0
    for members in shared.together:
        here = [one for one, part in enumerate(of) if part in members]
        variance = max(float(weights[here] @ covariance[np.ix_(here, here)] @ weights[here]), 0.0)
        total += variance
        doubtful += variance**2 / min(df[one] for one in here)
    return total**2 / doubtful if doubtful > 0 else inf if total > 0 else min(df)


def estimates(scores: Scores, units: RowUnits) -> tuple[Estimate, ...]:
    """Return the estimates whose plain mean is the metric, which must be defined."""
    if not METRICS[scores.metric].has_truth:
        return (_share(scores.predicted, np.ones(len(scores), bool), units),)
    assert scores.truth is not None
    if scores.metric in ("class_accuracy", "macro_recall"):
        said = (scores.truth == scores.predicted).astype(np.float64)
        if scores.metric == "class_accuracy":
            return (_share(said, np.ones(len(scores), bool), units),)
        return (_mean_share(said, np.unique(scores.truth, return_inverse=True)[1], units),)
    positive = scores.truth > 0.5
    if scores.metric == "auroc":
        return (_auroc(scores.truth, scores.predicted, units),)
    right = (positive == (scores.predicted > 0)).astype(np.float64)
    if scores.metric == "accuracy":
        return (_share(right, np.ones(len(scores), bool), units),)
    return _share(right, positive, units), _share(right, ~positive, units)


def _share(right: Rows, among: Bool[np.ndarray, " row"], units: RowUnits) -> Estimate:
    """Return the share of right rows among some."""
    marked = among.astype(np.float64)
    n, n_units, alike = int(among.sum()), units.count(marked), units.alike(marked)
    value = float(right @ marked / n)
    influence = (right - value) * marked / n * _small_sample(n_units)
    if alike == 1:
        binomial = proportion_limits(value, n), inf
        return Estimate(value, influence, lambda _: binomial, 1 / n)
    grouped = partial(_grouped, value, n, n_units, alike)
    return Estimate(value, influence, grouped, alike / n)


def _mean_share(right: Rows, of_class: Int[np.ndarray, " row"], units: RowUnits) -> Estimate:
    """Return the plain mean of the classes' shares of right rows, as one share.

    n rows in K classes of n_k each tell as much of it as K^2 / sum(1 / n_k) rows of a single share
    would, were all recalls alike: that many are where it is near 0 or 1 and shows no spread.
    """
    rows = np.bincount(of_class)
    recalls = np.bincount(of_class, weights=right) / rows
    value, n = float(recalls.mean()), len(right)
    influence = (right - recalls[of_class]) / (len(rows) * rows[of_class])
    counts = [units.count((of_class == k).astype(np.float64)) for k in range(len(rows))]
    influence = influence * np.array([_small_sample(one) for one in counts])[of_class]
    uneven = n / len(rows) ** 2 * float((1 / rows).sum())
    alike = uneven * max(units.alike((of_class == k).astype(np.float64)) for k in range(len(rows)))
    grouped = partial(_grouped, value, n, sum(counts) - len(counts) + 1, alike)
    return Estimate(value, influence, grouped, alike / n)


def _grouped(
    value: float, n: int, n_units: int, alike: float, variance: float
) -> tuple[ScoreLimits, float]:
    limits = proportion_limits(value, effective_rows(value, variance, n, alike))
    return limits, max(n_units - 1.0, 1.0)


def _auroc(truth: Rows, predicted: Rows, units: RowUnits) -> Estimate:
    value, influence = auroc_influence(truth, predicted)
    positive = truth > 0.5
    classes = positive.astype(np.float64), (~positive).astype(np.float64)
    held = [units.count(rows) for rows in classes]
    influence = influence * np.where(positive, *(_small_sample(n) for n in held))
    of_class = [float(np.square(units.sums(influence * rows)).sum()) for rows in classes]
    doubtful = sum(v**2 / max(n - 1, 1) for v, n in zip(of_class, held, strict=True))
    df = sum(of_class) ** 2 / doubtful if doubtful > 0 else inf  # Welch and Satterthwaite's
    counts = int(positive.sum()), int((~positive).sum())
    alike = max(units.alike(rows) for rows in classes)
    return Estimate(value, influence, partial(auroc_limits, value, counts, alike, df), 0.0)


def _small_sample(n: int) -> float:
    """Return sqrt(n / (n - 1)), which makes a variance over n units unbiased."""
    return (n / (n - 1)) ** 0.5 if n > 1 else 1.0
