"""Power: how likely a difference is to be seen, and how many units it takes.

All tests are two-sided at ``1 - level``; power counts rejections on the side of the true
difference. ``n`` is what one would have to collect: units of each sample (``paired``: pairs;
``auroc``: rows of both classes together).
"""

from collections.abc import Callable

import numpy as np

from sonde.core.errors import SondeError

MOST = 10**9  # units; more is as good as never


def power_of_means(
    difference: float, spread: float, n: float, *, paired: bool = False, level: float = 0.95
) -> float:
    """Return the power of a t-test of means, by the noncentral t distribution.

    Noncentrality ``difference / spread * sqrt(n / 2)``, ``2 n - 2`` degrees of freedom; paired
    ``sqrt(n)`` and ``n - 1`` (Cohen 1988).

    Args:
        difference: the true difference of means.
        spread: the standard deviation within each sample; paired: of the differences.
        n: units in each sample, or pairs.
        paired: whether the units match.
        level: one minus the test's two-sided alpha.

    Raises:
        SondeError: the spread is not positive, n is below 2, or the level is none.
    """
    from scipy.stats import nct, t

    _check(level, spread=spread, n=n - 1)
    freedom = n - 1 if paired else 2 * n - 2
    shift = abs(difference) / spread * np.sqrt(n if paired else n / 2)
    power = float(np.asarray(nct.sf(t.ppf((1 + level) / 2, freedom), freedom, shift)))
    return 1.0 if np.isnan(power) and shift > 10 else power  # the far tail gives NaN


def n_of_means(
    difference: float,
    spread: float,
    *,
    paired: bool = False,
    power: float = 0.8,
    level: float = 0.95,
) -> int:
    """Return the smallest n at which ``power_of_means`` reaches ``power``.

    Raises:
        SondeError: the difference is 0, or no n up to 10^9 suffices.
    """
    return _smallest(
        lambda n: power_of_means(difference, spread, n, paired=paired, level=level), power
    )


def power_of_proportions(a: float, b: float, n: float, *, level: float = 0.95) -> float:
    """Return the power of the z-test of two independent proportions, pooled under the null.

    ``Phi((|a - b| sqrt(n) - z sqrt(2 m (1 - m))) / sqrt(a (1 - a) + b (1 - b)))``, m the mean of a
    and b (Fleiss 1981, without continuity correction).

    Args:
        a: a true proportion.
        b: the other.
        n: units in each sample.
        level: one minus the test's two-sided alpha.

    Raises:
        SondeError: a proportion is not strictly between 0 and 1, or n is not positive.
    """
    _check(level, a=a, b=b, one_minus_a=1 - a, one_minus_b=1 - b, n=n)
    mean = (a + b) / 2
    pooled = np.sqrt(2 * mean * (1 - mean))
    apart = np.sqrt(a * (1 - a) + b * (1 - b))
    return _phi((abs(a - b) * np.sqrt(n) - _z(level) * pooled) / apart)


def n_of_proportions(a: float, b: float, *, power: float = 0.8, level: float = 0.95) -> int:
    """Return the smallest n in each sample at which ``power_of_proportions`` reaches ``power``.

    Raises:
        SondeError: the proportions are equal, or no n up to 10^9 suffices.
    """
    return _smallest(lambda n: power_of_proportions(a, b, n, level=level), power)


def auroc_standard_error(auroc: float, positives: float, negatives: float) -> float:
    """Return the standard error of an AUROC A by Hanley and McNeil (1982).

    ``sqrt((A (1 - A) + (n1 - 1) (Q1 - A^2) + (n0 - 1) (Q2 - A^2)) / (n1 n0))`` with
    ``Q1 = A / (2 - A)`` and ``Q2 = 2 A^2 / (1 + A)``: exact for exponential scores, near for
    others. For planning; an AUROC that was measured has a better one.

    Raises:
        SondeError: the AUROC is not within [0, 1], or a class has less than one row.
    """
    if not 0 <= auroc <= 1 or min(positives, negatives) < 1:
        raise SondeError(
            f"An AUROC of {auroc:g} of {positives:g} positive and {negatives:g} negative rows was "
            "asked for.",
            fix="Give an AUROC from 0 to 1 and at least one row of each class.",
        )
    q1, q2, square = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc), auroc**2
    alone = auroc * (1 - auroc)
    shared = (positives - 1) * (q1 - square) + (negatives - 1) * (q2 - square)
    return float(np.sqrt(max(0.0, alone + shared) / (positives * negatives)))


def power_of_auroc(
    auroc: float,
    over: float,
    n: float,
    *,
    correlation: float | None = None,
    share: float = 0.5,
    level: float = 0.95,
) -> float:
    """Return the power to tell an AUROC from another value, by Hanley and McNeil (1982, 1983).

    Against a constant: ``Phi((|A - B| - z SE(B)) / SE(A))``. With ``correlation`` r, ``over`` is
    the AUROC of a second score of the same rows and
    ``Phi(|A - B| / sqrt(SE(A)^2 + SE(B)^2 - 2 r SE(A) SE(B)) - z)``.

    Args:
        auroc: the true AUROC.
        over: the constant, or the other true AUROC.
        n: rows, positive and negative together.
        correlation: of the two AUROCs' errors, or None where ``over`` is a constant.
        share: of the rows that are positive.
        level: one minus the test's two-sided alpha.

    Raises:
        SondeError: an AUROC is not within [0, 1], a class has less than one row, or a correlation
            or share is impossible.
    """
    _check(level, share=share, rest=1 - share, one_plus_r=1 + (correlation or 0.0))
    _check(level, one_minus_r=1 - (correlation or 0.0))
    sizes = n * share, n * (1 - share)
    own, other = auroc_standard_error(auroc, *sizes), auroc_standard_error(over, *sizes)
    apart = abs(auroc - over)
    if correlation is None:
        return _phi((apart - _z(level) * other) / max(own, 1e-12))
    variance = own**2 + other**2 - 2 * correlation * own * other
    return _phi(apart / max(np.sqrt(variance), 1e-12) - _z(level))


def n_of_auroc(
    auroc: float,
    over: float,
    *,
    correlation: float | None = None,
    share: float = 0.5,
    power: float = 0.8,
    level: float = 0.95,
) -> int:
    """Return the smallest number of rows at which ``power_of_auroc`` reaches ``power``.

    Raises:
        SondeError: the AUROCs are equal, or no n up to 10^9 suffices.
    """
    least = int(np.ceil(1 / min(share, 1 - share))) if 0 < share < 1 else 2
    return _smallest(
        lambda n: power_of_auroc(auroc, over, n, correlation=correlation, share=share, level=level),
        power,
        max(2, least),
    )


def _smallest(power_at: Callable[[float], float], wanted: float, least: int = 2) -> int:
    """Return the smallest n from ``least`` on with enough power, which rises with n."""
    if not 0 < wanted < 1:
        raise SondeError(f"A power of {wanted:g} cannot be had.", fix="Ask for 0.8, or 0.9.")
    high = least
    while power_at(float(high)) < wanted:
        if high >= MOST:
            raise SondeError(
                f"No number of units up to {MOST:,} gives a power of {wanted:g}.",
                fix="Look for a difference that is larger than 0.",
            )
        high *= 2
    low = max(least, high // 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power_at(float(middle)) >= wanted else (middle + 1, high)
    return high


def _check(level: float, **positive: float) -> None:
    if not 0 < level < 1:
        raise SondeError(f"{level:g} is not a level.", fix="Give one between 0 and 1: 0.95.")
    for name, value in positive.items():
        if not value > 0:
            shown = name.replace("_", " ")
            raise SondeError(
                f"The power was asked for with {shown} = {value:g}.",
                fix="Give positive spreads, proportions strictly between 0 and 1, and n above 1.",
            )


def _z(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def _phi(z: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(z))
