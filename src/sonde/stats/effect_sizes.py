"""Effect sizes: how large a difference is, in units of the spread."""

from typing import Any

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.stats.interval import Interval


def cohens_d(
    a: Float[np.ndarray, " one"],
    b: Float[np.ndarray, " other"],
    *,
    paired: bool = False,
    corrected: bool = True,
    level: float = 0.95,
) -> Interval:
    """Return the standardised difference of means with its exact interval under normality.

    Unpaired: ``d = (mean(a) - mean(b)) / s``, s the pooled standard deviation, n1 + n2 - 2 degrees
    of freedom. Paired: the mean of the differences over their own standard deviation (d_z), n - 1
    degrees of freedom. ``corrected`` multiplies by Hedges' ``J = Γ(f/2) / (sqrt(f/2) Γ((f-1)/2))``,
    which removes the bias of small samples (Hedges 1981). The interval holds the effects under
    which the observed t is no rarer than the level allows, by the noncentral t distribution
    (Cumming and Finch 2001). Unitless; 0 is no difference.

    Args:
        a: one number a unit.
        b: the same; with ``paired``, of the same units in the same order.
        paired: whether the units match.
        corrected: whether Hedges' correction is made.
        level: the interval's.

    Raises:
        SondeError: fewer than two units a side, unequal lengths of pairs, numbers that are not
            finite, no spread at all, a t too large for its interval to be computed, or two pairs
            where a correction is asked for.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    _check(first, second, paired)
    if paired:
        parts, freedom = [first - second], len(first) - 1
        n, root = len(first), np.sqrt(len(first))
    else:
        parts, freedom = [first, second], len(first) + len(second) - 2
        n, root = freedom + 2, np.sqrt(len(first) * len(second) / (freedom + 2))
    if corrected and freedom < 2:
        raise SondeError(
            "Two pairs have one degree of freedom, for which Hedges' correction does not exist.",
            fix="Give more pairs, or corrected=False.",
        )
    squares = sum(float(np.square(part - part.mean()).sum()) for part in parts)
    spread = np.sqrt(squares / freedom)
    difference = float(first.mean() - second.mean())
    if spread <= 1e-12 * max(abs(difference), np.abs(first).max(), np.abs(second).max()):
        raise SondeError(
            "The numbers do not vary within the samples, so there is no spread to measure the "
            f"difference ({difference:g}) in.",
            fix="Report the difference itself.",
        )
    d = difference / spread
    factor = hedges_correction(freedom) if corrected else 1.0
    low, high = (bound / root for bound in _noncentralities(d * root, freedom, level))
    return Interval(factor * d, factor * low, factor * high, n, level)


def hedges_correction(freedom: int) -> float:
    """Return Hedges' J, about ``1 - 3 / (4 f - 1)``: the expected d is the true one over J.

    0 at one degree of freedom, where the expectation does not exist.
    """
    from scipy.special import gammaln  # only where it is needed

    if freedom < 2:
        return 0.0
    half = freedom / 2
    return float(np.exp(gammaln(half) - gammaln(half - 0.5)) / np.sqrt(half))


def _noncentralities(t: float, freedom: int, level: float) -> tuple[float, float]:
    """Return the noncentralities under which t is at the upper and the lower tail."""
    from scipy.optimize import brentq
    from scipy.stats import nct

    def bound(tail: float) -> float:
        def excess(shift: float) -> float:
            return float(nct.cdf(t, freedom, shift)) - tail

        # A t of f degrees of freedom strays from its noncentrality by about this much.
        reach = 4 * np.sqrt(1 + t**2 / (2 * freedom))
        for _ in range(20):
            if excess(t - reach) > 0 > excess(t + reach):
                try:
                    root: Any = brentq(excess, t - reach, t + reach, xtol=1e-10)
                except ValueError:  # scipy's distribution is NaN somewhere between
                    break
                return float(root)
            reach *= 2
        raise SondeError(
            f"The interval of a standardised difference cannot be computed at t = {t:g} with "
            f"{freedom} degrees of freedom.",
            fix="Report the difference of means with its own interval.",
        )

    return bound((1 + level) / 2), bound((1 - level) / 2)


def _check(a: np.ndarray, b: np.ndarray, paired: bool) -> None:
    if a.ndim != 1 or b.ndim != 1 or min(len(a), len(b)) < 2:
        raise SondeError(
            f"Cohen's d was asked of samples of shape {list(a.shape)} and {list(b.shape)}.",
            fix="Give at least two numbers on each side, one a unit.",
        )
    if paired and len(a) != len(b):
        raise SondeError(
            f"Pairs were promised, but there are {len(a)} and {len(b)} units.",
            fix="Give the same units on both sides, or paired=False.",
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise SondeError("A number is not finite.", fix="Leave out units without a score.")
