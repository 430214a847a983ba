"""The bootstrap over the independent unit: seeded draws, percentile and BCa intervals."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from sonde.core.errors import SondeError
from sonde.stats.interval import Interval

# One or several statistics of each resample, given how often each unit was drawn. Weights of one
# give the statistic of the data as it is.
Statistic = Callable[[Float[np.ndarray, "resample unit"]], Float[np.ndarray, "resample *value"]]

# Weights that stay in a core's cache, in products too small for BLAS to split among threads: on a
# busy machine its threads wait for each other longer than they work.
ENTRIES_AT_ONCE = 1 << 15
ENTRIES_KEPT = 1 << 22  # draws of up to this size are kept for the next score of as many units


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How often units are drawn, with replacement; the level of the interval; the seed.

    Statistics are written in terms of weights, so that all resamples, and any number of scores of
    the same rows, are computed together; scores that share one call are resampled alike.
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

    def intervals(
        self,
        statistic: Statistic,
        n_units: int,
        method: Literal["percentile", "bca"] = "percentile",
    ) -> tuple[Interval, ...]:
        """Return one interval for each value that ``statistic`` gives.

        ``percentile``: the quantiles of the resamples (Efron and Tibshirani 1993, chapter 13).
        ``bca``: the same at levels corrected for bias and for the change of the standard error
        with the value, by a jackknife over units (Efron 1987). Both need some hundred units where
        the statistic is skewed; ``interval_of`` has what holds with fewer.

        Resamples in which a value is undefined (NaN: no row of a class, say) are left out of its
        interval; where all are, the bounds are NaN.

        Args:
            statistic: from weights ``[resample, unit]`` to ``[resample]`` or ``[resample, value]``.
            n_units: the number of independent units.
            method: ``percentile`` or ``bca``.
        """
        values = statistic(np.ones((1, n_units))).reshape(-1)
        drawn = np.concatenate([statistic(part) for part in self.weights(n_units)])
        drawn = drawn.reshape(self.resamples, len(values))
        tails = np.array([(1 - self.level) / 2, (1 + self.level) / 2])
        if method == "bca":
            corrected = _corrected(values, drawn, _jackknife(statistic, n_units), tails)
        else:
            corrected = np.broadcast_to(tails, (len(values), 2))
        bounds = [_quantiles(drawn[:, one], corrected[one]) for one in range(len(values))]
        return tuple(
            Interval(float(value), float(low), float(high), n_units, self.level)
            for value, (low, high) in zip(values, bounds, strict=True)
        )

    def weights(
        self, n_units: int, stream: int = 0
    ) -> Iterator[Float[np.ndarray, "resample unit"]]:
        """Yield, in pieces, how often each unit is drawn in each resample.

        The draws depend on the seed, ``n_units`` and ``stream`` alone; more resamples go on where
        fewer stop. Independent sets of units take streams of their own.
        """
        if self.resamples * n_units <= ENTRIES_KEPT:
            kept = _kept(self.seed, stream, n_units, self.resamples)
            piece = _rows_at_once(n_units)
            pieces = (kept[start : start + piece] for start in range(0, len(kept), piece))
        else:
            pieces = _counts(self.seed, stream, n_units, self.resamples)
        for counts in pieces:
            yield counts.astype(np.float64)


def over_pairs(
    statistic: Statistic, first: Int[np.ndarray, " row"], second: Int[np.ndarray, " row"]
) -> Statistic:
    """Make a statistic of rows one of items: a row's weight is the product of its two items'.

    ``first`` and ``second`` number each row's items. The variance that resampling items gives is
    on the wide side (Owen 2007): up to three times too large where items differ in nothing.
    """
    return lambda weights: statistic(weights[:, first] * weights[:, second])


def _rows_at_once(n_units: int) -> int:
    return max(1, ENTRIES_AT_ONCE // max(1, n_units))


def _counts(seed: int, stream: int, n_units: int, resamples: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng([seed, stream, n_units])
    small = np.min_scalar_type(n_units)  # holds a count, and any unit's number
    piece = _rows_at_once(n_units)
    for start in range(0, resamples, piece):
        rows = min(piece, resamples - start)
        drawn = rng.integers(0, n_units, (rows, n_units), small)  # 16 bits take half of 64's time
        counts = np.empty((rows, n_units), small)
        for row in range(rows):
            counts[row] = np.bincount(drawn[row], minlength=n_units)
        yield counts


@lru_cache(maxsize=8)
def _kept(seed: int, stream: int, n_units: int, resamples: int) -> np.ndarray:
    return np.concatenate(list(_counts(seed, stream, n_units, resamples)))


def _jackknife(statistic: Statistic, n_units: int) -> Float[np.ndarray, "unit value"]:
    """Return the statistic without each unit."""
    found = []
    for start in range(0, n_units, _rows_at_once(n_units)):
        rows = np.arange(start, min(start + _rows_at_once(n_units), n_units))
        weights = np.ones((len(rows), n_units))
        weights[np.arange(len(rows)), rows] = 0
        found.append(statistic(weights).reshape(len(rows), -1))
    return np.concatenate(found)


def _corrected(
    values: Float[np.ndarray, " value"],
    drawn: Float[np.ndarray, "resample value"],
    without: Float[np.ndarray, "unit value"],
    tails: Float[np.ndarray, " tail"],
) -> Float[np.ndarray, "value tail"]:
    """Move the tails by the bias z0 and the acceleration a: Phi(z0 + (z0 + z) / (1 - a (z0 + z))).

    z0 is the normal score of the share of resamples below the value, ties counting half; a is
    sum d^3 / (6 (sum d^2)^1.5), d the jackknife values' distance below their mean.
    """
    from scipy.special import ndtr, ndtri

    defined = np.isfinite(drawn)
    count = np.maximum(defined.sum(axis=0), 1)
    below = ((drawn < values) & defined).sum(axis=0) + ((drawn == values) & defined).sum(axis=0) / 2
    bias = ndtri(np.clip(below / count, 0.5 / count, 1 - 0.5 / count))[:, None]
    # Without some units the statistic is undefined, of some columns without each.
    known = np.isfinite(without)
    centre = np.where(known, without, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    distance = np.where(known, centre - without, 0.0)
    squares = (distance**2).sum(axis=0)
    spread = np.where(squares > 0, squares, 1.0) ** 1.5
    acceleration = ((distance**3).sum(axis=0) / (6 * spread))[:, None]
    shifted = bias + ndtri(tails)
    return ndtr(bias + shifted / (1 - acceleration * shifted))


def _quantiles(
    drawn: Float[np.ndarray, " resample"], tails: Float[np.ndarray, " tail"]
) -> Float[np.ndarray, " tail"]:
    defined = drawn[np.isfinite(drawn)]
    return np.quantile(defined, tails) if len(defined) else np.full(len(tails), np.nan)
