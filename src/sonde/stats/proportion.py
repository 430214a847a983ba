"""A share of rows with its interval: Wilson's, also for rows that come in groups."""

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.stats.interval import Interval
from sonde.stats.score_limits import ScoreLimits


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Return a proportion with Wilson's score interval (Wilson 1927).

    The limits are the p with |successes / n - p| = z sqrt(p (1 - p) / n). They hold at small n
    and near 0 and 1, where successes / n +- z standard errors does not.

    Raises:
        SondeError: there are more successes than trials, or no trial.
    """
    from scipy.special import ndtri

    if not 0 <= successes <= n or n < 1:
        raise SondeError(
            f"{successes} of {n} is not a proportion.", fix="Count successes among at least one."
        )
    limits = proportion_limits(successes / n, n)
    z = float(ndtri((1 + level) / 2))
    return Interval(successes / n, limits.at(-z), limits.at(z), n, level)


def proportion_limits(value: float, rows: float | int) -> ScoreLimits:
    """Return Wilson's limits of a proportion of so many independent rows."""
    return ScoreLimits(value, lambda _: rows)


def effective_rows(value: float, variance: float, n: int, alike: float | int) -> float:
    """Return how many independent rows would tell as much as ``n`` rows that come in groups.

    n over the design effect, the measured variance of the proportion over the binomial one (Kish
    1965; Korn and Graubard 1998). Near 0 and 1 both vanish and their ratio is anybody's guess, so
    it is drawn, by one wrong row, to ``alike``: the design effect of groups whose rows are alike.
    """
    one = (1 - 1 / max(n, 2)) / n**2  # the variance of a share of one in n
    return n * (value * (1 - value) / n + one) / (variance + one * alike)


def is_binary(values: Float[np.ndarray, " row"]) -> bool:
    """Whether every value is 0 or 1, so that their mean is a proportion."""
    return bool(((values == 0) | (values == 1)).all())
