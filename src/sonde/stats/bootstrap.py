"""Bootstrap intervals over the independent unit: a row, or a group of rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.stats.interval import Interval

# One or several statistics of each resample, given how often each unit was drawn. Weights of one
# give the statistic of the data as it is.
Statistic = Callable[[Float[np.ndarray, "resample unit"]], Float[np.ndarray, "resample *value"]]

ENTRIES_AT_ONCE = 1 << 22  # 32 MB of weights


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are made: percentile bootstrap, units drawn with replacement.

    Efron and Tibshirani (1993), chapter 13. Statistics are written in terms of weights, so that
    all resamples, and any number of scores of the same rows, are computed together; scores that
    share one call are resampled alike.
    """

    resamples: int = 1000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 1 or not 0 < self.level < 1:
            raise SondeError(
                f"A bootstrap of {self.resamples} resamples at level {self.level} cannot be made.",
                fix="Ask for at least one resample and a level between 0 and 1, such as 0.95.",
            )

    def intervals(self, statistic: Statistic, n_units: int) -> tuple[Interval, ...]:
        """Return one interval for each value that ``statistic`` gives.

        Resamples in which a value is undefined (NaN: no row of a class, say) are left out of its
        interval; where all are, the bounds are NaN.

        Args:
            statistic: from weights ``[resample, unit]`` to ``[resample]`` or ``[resample, value]``.
            n_units: the number of independent units.
        """
        values = statistic(np.ones((1, n_units))).reshape(-1)
        drawn = np.concatenate([statistic(part) for part in self.weights(n_units)])
        drawn = drawn.reshape(self.resamples, len(values))
        low, high = _percentiles(drawn, self.level)
        return tuple(
            Interval(float(value), float(below), float(above), n_units, self.level)
            for value, below, above in zip(values, low, high, strict=True)
        )

    def weights(self, n_units: int) -> Iterator[Float[np.ndarray, "resample unit"]]:
        """Yield, in pieces, how often each unit is drawn in each resample.

        The draws depend on the seed and ``n_units`` alone, not on the size of the pieces.
        """
        rng = np.random.default_rng(self.seed)
        piece = max(1, ENTRIES_AT_ONCE // max(1, n_units))
        for start in range(0, self.resamples, piece):
            rows = min(piece, self.resamples - start)
            drawn = rng.integers(0, n_units, (rows, n_units))
            drawn += np.arange(rows)[:, None] * n_units
            counts = np.bincount(drawn.reshape(-1), minlength=rows * n_units)
            yield counts.reshape(rows, n_units).astype(np.float64)


def _percentiles(
    drawn: Float[np.ndarray, "resample value"], level: float
) -> tuple[Float[np.ndarray, " value"], Float[np.ndarray, " value"]]:
    tails = [(1 - level) / 2, (1 + level) / 2]
    defined = np.isfinite(drawn)
    if defined.all():
        low, high = np.quantile(drawn, tails, axis=0)
        return low, high
    bounds = np.full((2, drawn.shape[1]), np.nan)
    for column in np.flatnonzero(defined.any(axis=0)):
        bounds[:, column] = np.quantile(drawn[defined[:, column], column], tails)
    return bounds[0], bounds[1]
