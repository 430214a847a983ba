"""Agreement of a ranking with comparisons, or with another ranking."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sonde.core.errors import SondeError
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.effects import interval_of
from sonde.stats.interval import Interval
from sonde.stats.scores import REFITTED, Scores


def kendall_tau(a: Float[np.ndarray, " item"], b: Float[np.ndarray, " item"]) -> float:
    """Kendall's tau-b: (C - D) / sqrt((C + D + T_a) (C + D + T_b)).

    C and D count the pairs of items that both rank alike and differently, T_a and T_b the pairs
    that only a, or only b, ties. In [-1, 1], 0 is chance; blind to monotone maps of either. NaN
    where either is constant.
    """
    from scipy.stats import kendalltau

    return float(kendalltau(a, b)[0])  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """How a ranking agrees with comparisons: the share it tells right, over decided ones.

    The interval resamples items, as each is in several comparisons. ``ties`` are the comparisons
    without a winner, ``undecided`` those of two items with one score, which count as half right.
    """

    accuracy: Interval
    n: int
    ties: int
    undecided: int


def agreement_with_pairs(
    score: Float[np.ndarray, " item"],
    first: Int[np.ndarray, " comparison"],
    second: Int[np.ndarray, " comparison"],
    outcome: Float[np.ndarray, " comparison"],
    bootstrap: Bootstrap | None = None,
    *,
    cross_validated: bool = False,
) -> PairAgreement:
    """Score a ranking by comparisons: share of decided ones whose winner has the higher score.

    ``first`` and ``second`` number the items, ``outcome`` above 0.5 says that the first won. The
    scores must not have been fitted to these comparisons, or the agreement is flattered;
    ``cross_validated`` is as in ``Scores``.

    Raises:
        SondeError: no comparison has a winner.
    """
    decided = outcome != 0.5
    if not decided.any():
        raise SondeError(
            f"None of {len(outcome)} comparisons has a winner.", fix="Give comparisons with one."
        )
    ahead = np.sign(score[first] - score[second])[decided]
    right = (ahead * np.sign(outcome[decided] - 0.5) + 1) / 2
    rows = Scores(
        "mean",
        first[decided],
        right,
        None,
        other=second[decided],
        cross_validated=cross_validated,
    )
    return PairAgreement(
        accuracy=interval_of(rows, bootstrap),
        n=int(decided.sum()),
        ties=int((~decided).sum()),
        undecided=int((ahead == 0).sum()),
    )


def agreement_of_rankings(
    a: Float[np.ndarray, " item"],
    b: Float[np.ndarray, " item"],
    bootstrap: Bootstrap | None = None,
    *,
    cross_validated: bool = False,
) -> Interval:
    """Return Kendall's tau-b of two rankings of the same items, with an interval over items.

    A jackknife over items on Fisher's scale: tau is a mean over pairs of items, so leaving one out
    moves it by twice that item's part (Arvesen 1969), and t quantiles with n - 1 degrees of freedom
    make the limits, which stay within -1 and 1. Where either are cross-validated predictions, the
    error is stretched as that of other scores is (``Scores.stretch``).

    Raises:
        SondeError: the lengths differ.
    """
    from scipy.stats import t as student

    if a.shape != b.shape or a.ndim != 1:
        raise SondeError(
            f"Rankings of {list(a.shape)} and {list(b.shape)} items are compared.",
            fix="Give the scores of the same items in the same order.",
        )
    level, n = (bootstrap or Bootstrap()).level, len(a)
    tau = kendall_tau(a, b)
    if n < 3 or np.isnan(tau):
        return Interval(tau, float("nan"), float("nan"), n, level)
    without = _without_each(a, b)
    edge = 1 - 1 / n**2  # a perfect tau has no finite Fisher z
    z = np.arctanh(np.clip(without, -edge, edge))
    centre = np.arctanh(np.clip(tau, -edge, edge))
    error = np.sqrt((n - 1) / n * np.square(z - z.mean()).sum())
    stretch = REFITTED if cross_validated else 1.0
    reach = stretch * float(student.ppf((1 + level) / 2, n - 1)) * error
    return Interval(tau, float(np.tanh(centre - reach)), float(np.tanh(centre + reach)), n, level)


def _without_each(
    a: Float[np.ndarray, " item"], b: Float[np.ndarray, " item"]
) -> Float[np.ndarray, " item"]:
    """Return tau-b without each item, from each item's own counts of pairs."""
    order = np.zeros(len(a))
    in_a, in_b = np.zeros(len(a)), np.zeros(len(a))
    for item in range(len(a)):
        of_a, of_b = np.sign(a - a[item]), np.sign(b - b[item])
        order[item] = (of_a * of_b).sum()
        in_a[item], in_b[item] = np.abs(of_a).sum(), np.abs(of_b).sum()
    # Every pair is counted from both of its items.
    left = order.sum() / 2 - order
    below = (in_a.sum() / 2 - in_a) * (in_b.sum() / 2 - in_b)
    return np.where(below > 0, left / np.sqrt(np.maximum(below, 1)), 0.0)
