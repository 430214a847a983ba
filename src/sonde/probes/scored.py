"""Predictions beside the truth, unit by unit, and the intervals made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float

from sonde.stats.bootstrap import Bootstrap, Statistic
from sonde.stats.interval import Interval
from sonde.stats.metrics import Metric


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Out-of-fold predictions, arrays of equal length.

    ``unit`` is the independent unit (the group, or the example where there is none), ``fold`` the
    fold whose fit did not see the row, ``truth`` the label that was fitted (a shuffled one in a
    control), ``predicted`` the logit, prediction or distance that the fit gave.
    """

    example: np.ndarray  # str
    token: np.ndarray  # int32
    unit: np.ndarray  # str
    fold: np.ndarray  # int64
    truth: np.ndarray  # float64
    predicted: np.ndarray  # float64

    def __len__(self) -> int:
        return len(self.example)

    @classmethod
    def joined(cls, parts: Sequence["Scored"]) -> "Scored":
        """Lay several end to end."""
        return cls(
            *(
                np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            )
        )


def intervals(
    scored: Sequence[Scored], metric: Metric, bootstrap: Bootstrap
) -> tuple[Interval, ...]:
    """Score each, with an interval over units; all must be of the same rows, in one order."""
    statistics, n_units = _statistics(scored, metric)
    return bootstrap.intervals(
        lambda weights: np.stack([one(weights) for one in statistics], axis=1), n_units
    )


def mean_intervals(
    scored: Sequence[Sequence[Scored]], metric: Metric, bootstrap: Bootstrap
) -> tuple[Interval, ...]:
    """Score the mean of each inner sequence (the shuffles of a layer), with its interval."""
    flat = [one for several in scored for one in several]
    statistics, n_units = _statistics(flat, metric)
    each = len(scored[0])

    def means(weights: Float[np.ndarray, "resample unit"]) -> Float[np.ndarray, "resample value"]:
        values = np.stack([one(weights) for one in statistics], axis=1)
        return values.reshape(len(values), -1, each).mean(axis=2)

    return bootstrap.intervals(means, n_units)


def _statistics(scored: Sequence[Scored], metric: Metric) -> tuple[list[Statistic], int]:
    names, unit = np.unique(scored[0].unit, return_inverse=True)
    count = len(names)
    return [metric.resampled(one.truth, one.predicted, unit, count) for one in scored], count
