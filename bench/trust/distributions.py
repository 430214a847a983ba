"""Made-up data whose true scores are known in closed form, to see how often intervals hold them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import asin, exp, pi, sqrt

import numpy as np
from scipy.stats import norm

from sonde.stats import Scores

Draw = Callable[[np.random.Generator, int], np.ndarray]
GROUP = 5  # rows a group, where they are equal


@dataclass(frozen=True, slots=True)
class Case:
    """A score of a distribution: one ``Scores``, or two whose difference is meant.

    ``draw`` takes a generator and the number of independent units. ``every``: the score is a share
    of independent rows, whose every outcome can be weighted by its chance instead. ``lumpy``: so
    few rows decide that coverage moves in lumps.
    """

    section: str
    what: str
    truth: float
    draw: Callable[[np.random.Generator, int], tuple[Scores, ...]]
    sizes: tuple[int, ...] = (100, 1000)
    every: bool = False
    lumpy: bool = False


@lru_cache(maxsize=32)
def names(n: int, each: int = 1) -> np.ndarray:
    """Name ``n`` units, ``each`` rows of every one."""
    return np.repeat(np.array([f"unit {number:06}" for number in range(n)]), each)


def sizes_of_groups(rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw sizes from 1 to 9."""
    return rng.integers(1, 10, n)


def in_groups(rng: np.random.Generator, n: int, one: Draw, spread: float = 1.0) -> np.ndarray:
    """Draw values that groups of five share in part: a group's own plus a row's own."""
    return np.repeat(one(rng, n) * spread, GROUP) + one(rng, n * GROUP)


# --- Values around a mean. Each has mean 0 or the one given beside it.


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_normal(n)


def exponential(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_exponential(n)  # mean 1, skewness 2


def log_normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(rng.standard_normal(n))  # mean exp(1/2), skewness 6.2


def mild_log_normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(rng.standard_normal(n) / 2)  # mean exp(1/8), skewness 1.8


def heavy_tailed(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_t(5, n)


LOG_NORMAL_MEAN = exp(0.5)


def mean_of(draw: Draw) -> Callable[[np.random.Generator, int], tuple[Scores, ...]]:
    """Make a mean of independent values."""
    return lambda rng, n: (Scores("mean", names(n), draw(rng, n), None),)


def mean_of_groups(draw: Draw, *, equal: bool = True):
    """Make a mean over rows that come in groups: half of a value's variance is its group's."""

    def made(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
        if equal:
            return (Scores("mean", names(n, GROUP), in_groups(rng, n, draw), None),)
        sizes = sizes_of_groups(rng, n)
        values = np.repeat(draw(rng, n), sizes) + draw(rng, int(sizes.sum()))
        return (Scores("mean", np.repeat(names(n), sizes), values, None),)

    return made


def paired_means(first: Draw, second: Draw, *, groups: bool = False):
    """Make two values of the same units that share a normal part as large as their own."""

    def made(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
        each = GROUP if groups else 1
        both = rng.standard_normal(n * each)
        own = [in_groups(rng, n, one) if groups else one(rng, n) for one in (first, second)]
        return tuple(Scores("mean", names(n, each), both + one, None) for one in own)

    return made


# --- Two classes.


def labels(n: int, share: float) -> np.ndarray:
    """Return 1 for the first ``share`` of the rows, 0 for the others."""
    return (np.arange(n) < round(share * n)).astype(np.float64)


def shift_for(auroc: float, spread: float = 1.0) -> float:
    """How far normal positives (standard deviation ``spread``) lie above standard normal ones."""
    return float(norm.ppf(auroc)) * sqrt(1 + spread**2)


def auroc_normal(auroc: float, share: float = 0.5, spread: float = 1.0, levels: float = 0.0):
    """Make normal scores of two classes; rounded to multiples of ``levels`` where it is not 0."""

    def made(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
        truth = labels(n, share)
        moved = truth * shift_for(auroc, spread)
        score = rng.standard_normal(n) * np.where(truth > 0, spread, 1.0) + moved
        score = np.round(score / levels) * levels if levels else score
        return (Scores("auroc", names(n), score, truth),)

    return made


def auroc_exponential(auroc: float):
    """Make exponential scores, the positives' larger: AUROC = scale / (1 + scale)."""

    def made(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
        truth = labels(n, 0.5)
        scale = np.where(truth > 0, auroc / (1 - auroc), 1.0)
        return (Scores("auroc", names(n), rng.standard_exponential(n) * scale, truth),)

    return made


def auroc_rounded(auroc: float, levels: float) -> float:
    """Return the AUROC of normal scores rounded to multiples of ``levels``."""
    edges = (np.arange(-60, 61) + 0.5) * levels
    positive = np.diff(norm.cdf(edges - shift_for(auroc)))
    below = norm.cdf(edges)
    return float(positive @ (below[:-1] + below[1:]) / 2)


def auroc_groups(auroc: float, *, mixed: bool):
    """Make normal scores of groups of five, half of the variance the group's.

    A group's rows are of both classes in turn (``mixed``), or all of one.
    """

    def made(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
        rows = np.arange(n * GROUP)
        truth = ((rows if mixed else rows // GROUP) % 2).astype(np.float64)
        score = in_groups(rng, n, normal) / sqrt(2) + truth * shift_for(auroc)
        return (Scores("auroc", names(n, GROUP), score, truth),)

    return made


def paired_auroc(first: float, second: float, correlation: float):
    """Make two scores of the same rows, normal and correlated within each class."""

    def made(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
        truth, both = labels(n, 0.5), rng.standard_normal(n) * sqrt(correlation)
        return tuple(
            Scores(
                "auroc",
                names(n),
                both + rng.standard_normal(n) * sqrt(1 - correlation) + truth * shift_for(auroc),
                truth,
            )
            for auroc in (first, second)
        )

    return made


def right_or_wrong(
    metric: str, recall: float, specificity: float, share: float = 0.5, *, groups: str = ""
):
    """Make answers that are right with the given chances.

    In groups (``"equal"`` or ``"unequal"``) a group's own ease counts as much as a row's.
    """
    chances = [float(norm.ppf(one)) for one in (recall, specificity)]

    def made(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
        sizes = np.full(n, GROUP) if groups == "equal" else sizes_of_groups(rng, n)
        unit = np.repeat(names(n), sizes) if groups else names(n)
        truth = labels(len(unit), share) if not groups else (rng.random(len(unit)) < share) * 1.0
        ease = rng.standard_normal(len(unit))
        if groups:
            ease = (ease + np.repeat(rng.standard_normal(n), sizes)) / sqrt(2)
        right = ease < np.where(truth > 0, *chances)
        return (Scores(metric, unit, np.where(right == (truth > 0), 1.0, -1.0), truth),)

    return made


PAIR_NOISE, PAIR_ERROR, PAIRS = 1.0, 0.7, 3  # of the answers; of the predictions; pairs an item


def accuracy_of_pairs() -> float:
    """Return how often the sign of two correlated normal differences agrees."""
    covariance = 2 / sqrt(2 * (1 + PAIR_ERROR**2) * (2 + PAIR_NOISE**2))
    return 0.5 + asin(covariance) / pi


def pairs_of_items(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
    """Make comparisons of ``n`` items: an item's worth, and what is predicted of it, are its own.

    Each item is first in three pairs, with a random other.
    """
    first = np.repeat(np.arange(n), PAIRS)
    second = (first + rng.integers(1, n, n * PAIRS)) % n
    worth = rng.standard_normal(n)
    said = worth + PAIR_ERROR * rng.standard_normal(n)
    answer = worth[first] - worth[second] + PAIR_NOISE * rng.standard_normal(len(first))
    predicted, truth = said[first] - said[second], (answer > 0).astype(np.float64)
    return (Scores("accuracy", names(n)[first], predicted, truth, other=names(n)[second]),)


def paired_accuracy(first: float, second: float, both: float):
    """Make two answers to each question that share ``both`` of their ease."""

    def made(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
        truth, shared = labels(n, 0.5), rng.standard_normal(n) * sqrt(both)
        found = []
        for chance in (first, second):
            right = shared + rng.standard_normal(n) * sqrt(1 - both) < norm.ppf(chance)
            answer = np.where(right == (truth > 0), 1.0, -1.0)
            found.append(Scores("accuracy", names(n), answer, truth))
        return tuple(found)

    return made


# --- Numbers: truth = predicted + residual, both of variance 1, so that R2 is 1/2.


def r2_of(residual: Draw, metric: str = "r2"):
    """Make predictions with a residual of variance 1 that does not depend on them."""

    def made(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
        predicted = rng.standard_normal(n)
        return (Scores(metric, names(n), predicted, predicted + residual(rng, n)),)

    return made


def r2_uneven(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
    """Make residuals whose spread grows with the prediction: 0.3 + |p|, scaled to variance 1."""
    predicted = rng.standard_normal(n)
    spread = (0.3 + np.abs(predicted)) / sqrt(0.09 + 0.6 * sqrt(2 / pi) + 1)
    return (Scores("r2", names(n), predicted, predicted + spread * rng.standard_normal(n)),)


def r2_of_groups(residual: Draw):
    """Make predictions and residuals in groups of five, half of each variance the group's."""

    def made(rng: np.random.Generator, n: int) -> tuple[Scores, ...]:
        predicted = in_groups(rng, n, normal) / sqrt(2)
        truth = predicted + in_groups(rng, n, residual) / sqrt(2)
        return (Scores("r2", names(n, GROUP), predicted, truth),)

    return made


def standard(draw: Draw, mean: float, deviation: float) -> Draw:
    """Shift and scale a distribution to mean 0 and variance 1."""
    return lambda rng, n: (draw(rng, n) - mean) / deviation
