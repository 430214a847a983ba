"""How far two judges agree: in order, in value, and how far apart they are."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sonde.core.errors import SondeError
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.interval import Interval

FEWEST = 3  # answers that both judged
Column = Float[np.ndarray, " answer"]
Weights = Float[np.ndarray, "resample answer"]


@dataclass(frozen=True, slots=True)
class JudgeAgreement:
    """Two judges of the same answers, a and b, with intervals over independent units.

    ``spearman`` says whether they order answers alike, ``kappa`` whether they give the same
    scores. ``apart`` is the mean of |b - a| and ``shift`` that of b - a, in points. ``n`` answers
    have both scores; ``left_out`` lack one.
    """

    spearman: Interval
    kappa: Interval
    apart: Interval
    shift: Interval
    n: int
    left_out: int


def judge_agreement(
    a: Sequence[float | None] | Column,
    b: Sequence[float | None] | Column,
    groups: Sequence[Hashable] | None = None,
    bootstrap: Bootstrap | None = None,
) -> JudgeAgreement:
    """Compare two judges' scores of the same answers; None or NaN stands for no score.

    ``groups`` names each answer's independent unit, such as its question; without it each answer
    is one. Intervals are BCa bootstrap over the units; see ``Bootstrap.intervals``.

    Raises:
        SondeError: the lengths differ, or fewer than three answers have both scores.
    """
    first, second = np.array(a, np.float64), np.array(b, np.float64)
    if first.shape != second.shape or (groups is not None and len(groups) != len(first)):
        raise SondeError(
            f"Judges of {len(first)} and {len(second)} answers are compared"
            f"{'' if groups is None else f', in groups of {len(groups)}'}.",
            fix="Give both scores of each answer, in the same order.",
        )
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < FEWEST:
        raise SondeError(
            f"Only {int(both.sum())} of {len(both)} answers have a score of both judges.",
            fix=f"Agreement needs {FEWEST} or more.",
        )
    unit, n_units = _units(groups, both)
    first, second = first[both], second[both]

    def statistic(weights: Float[np.ndarray, "resample unit"]) -> Float[np.ndarray, "resample 4"]:
        return _statistics(first, second, weights[:, unit])

    intervals = (bootstrap or Bootstrap()).intervals(statistic, n_units, "bca")
    return JudgeAgreement(*intervals, n=int(both.sum()), left_out=int((~both).sum()))


def spearman(a: Column, b: Column) -> float:
    """Spearman's rank correlation: Pearson's r of the midranks of a and b.

    In [-1, 1], 0 is chance; blind to monotone maps of either. NaN where either is constant.
    """
    return float(_correlations(a, b, np.ones((1, len(a))))[0])


def weighted_kappa(a: Column, b: Column) -> float:
    """Cohen's kappa with quadratic weights: 1 - mean_i (a_i - b_i)^2 / mean_ij (a_i - b_j)^2.

    In [-1, 1]: 1 is the same score for every answer, 0 what chance gives. Scores need not be whole
    numbers, so it is Lin's concordance coefficient, 2 cov / (var a + var b + (mean a - mean b)^2).
    NaN where all scores of both are one number (Cohen 1968; Lin 1989).
    """
    return float(_kappas(a, b, np.ones((1, len(a))))[0])


def _statistics(a: Column, b: Column, weights: Weights) -> Float[np.ndarray, "resample 4"]:
    total = weights.sum(axis=1)
    return np.stack(
        [
            _correlations(a, b, weights),
            _kappas(a, b, weights),
            weights @ np.abs(b - a) / total,
            weights @ (b - a) / total,
        ],
        axis=1,
    )


def _kappas(a: Column, b: Column, weights: Weights) -> Float[np.ndarray, " resample"]:
    total = weights.sum(axis=1)
    mean_a, mean_b = weights @ a / total, weights @ b / total
    spread = weights @ (a * a) / total - mean_a**2 + weights @ (b * b) / total - mean_b**2
    by_chance = spread + (mean_a - mean_b) ** 2
    apart = weights @ np.square(a - b) / total
    # What rounding leaves of a spread of 0 is none.
    known = by_chance > 1e-12 * (1 + mean_a**2 + mean_b**2)
    return np.where(known, 1 - apart / np.where(known, by_chance, 1.0), np.nan)


def _correlations(a: Column, b: Column, weights: Weights) -> Float[np.ndarray, " resample"]:
    """Return Spearman's correlation with each answer counted as often as its weight says."""
    total = weights.sum(axis=1, keepdims=True)
    ranks = [_midranks(column, weights) for column in (a, b)]
    x, y = (rank - (weights * rank).sum(axis=1, keepdims=True) / total for rank in ranks)
    spread = np.sqrt((weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1))
    together = (weights * x * y).sum(axis=1)
    known = spread > 1e-9
    return np.where(known, together / np.where(known, spread, 1.0), np.nan).clip(-1, 1)


def _midranks(values: Column, weights: Weights) -> Weights:
    """Return ranks, less 1/2, of values that stand there as often as their weights; ties share."""
    _, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    at_each = np.add.reduceat(weights[:, order], starts, axis=1)
    return (at_each.cumsum(axis=1) - at_each / 2)[:, place]


def _units(
    groups: Sequence[Hashable] | None, both: np.ndarray
) -> tuple[Int[np.ndarray, " answer"], int]:
    kept: list[int] = np.flatnonzero(both).tolist()
    if groups is None:
        return np.arange(len(kept)), len(kept)
    number: dict[Hashable, int] = {}
    unit = [number.setdefault(groups[at], len(number)) for at in kept]
    return np.array(unit), len(number)
