"""Rows from which a metric, its interval and its comparisons are computed again."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from sonde.core.errors import SondeError, nearest
from sonde.stats.bootstrap import Statistic, over_pairs
from sonde.stats.metrics import METRICS

# The same rows also trained the fits that predicted them and chose among those, so fits and rows
# vary together: where little is found, a cross-validated score varies two to three times as much
# as resampled rows show (docs/decisions/0010).
REFITTED = sqrt(3)
RANKED = ("accuracy", "balanced_accuracy", "auroc")  # take logits, which may be infinite


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What was said, what was true, and whose row it is; arrays ``[row]`` of equal length.

    ``metric`` is a name in ``METRICS``. ``unit`` names the independent unit (the group, or the
    example), ``truth`` is None for means of values alone. In pairwise data a row has two units, the
    items compared: ``unit`` and ``other``. ``cross_validated`` says that the predictions came from
    fits or choices made on other units of the same data, whose own variation intervals then
    include.
    """

    metric: str
    unit: np.ndarray
    predicted: np.ndarray
    truth: np.ndarray | None
    other: np.ndarray | None = None
    cross_validated: bool = False

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise SondeError(
                f"{self.metric!r} is not a metric.{nearest(self.metric, METRICS)}",
                fix=f"Metrics are {', '.join(METRICS)}.",
            )
        if self.truth is None and METRICS[self.metric].has_truth:
            without = ", ".join(name for name, metric in METRICS.items() if not metric.has_truth)
            raise SondeError(
                f"There is no truth to compute {self.metric} against.",
                fix=f"Give the truth of each row; only these do without: {without}.",
            )
        if self.metric == "share" and bool(((self.predicted < 0) | (self.predicted > 1)).any()):
            raise SondeError(
                "Shares lie between 0 and 1, and some that are given do not.",
                fix="Divide points by the length of their scale, or take the mean of them.",
            )
        arrays = {"predicted": self.predicted, "truth": self.truth, "other": self.other}
        for name, array in arrays.items():
            if array is not None and array.shape != (len(self.unit),):
                raise SondeError(
                    f"{name} has shape {list(array.shape)}; there are {len(self.unit)} units.",
                    fix="Give one value a row.",
                )

    def __len__(self) -> int:
        return len(self.unit)

    @property
    def value(self) -> float:
        """The metric of all rows; NaN where it is undefined or a number is missing."""
        if not len(self) or not self.complete:
            return float("nan")
        return float(METRICS[self.metric].value(self.truth, self.predicted))

    def same_rows(self, other: "Scores") -> bool:
        """Whether both hold the same rows in the same order: their metrics are one number."""
        return (
            np.array_equal(self.unit, other.unit)
            and np.array_equal(self.predicted, other.predicted)
            and _equal(self.truth, other.truth)
            and _equal(self.other, other.other)
        )

    @property
    def stretch(self) -> float:
        """What standard errors that take the predictions as given are multiplied by."""
        return REFITTED if self.cross_validated else 1.0

    @property
    def complete(self) -> bool:
        """Whether every truth is a number, and every prediction one that the metric can take.

        An infinite logit is on a side and has a rank; means, R2 and correlations need finite ones.
        """
        ranked = self.metric in RANKED
        known = ~np.isnan(self.predicted) if ranked else np.isfinite(self.predicted)
        return bool(known.all()) and (self.truth is None or bool(np.isfinite(self.truth).all()))

    def resampled(self) -> tuple[Statistic, int]:
        """Return the metric as a statistic of resampled units, and how many units there are.

        For ``Bootstrap.intervals``. A row of pairwise data counts as often as both its items.
        """
        metric = METRICS[self.metric]
        names = self.unit if self.other is None else np.concatenate([self.unit, self.other])
        found, number = np.unique(names, return_inverse=True)
        if self.other is None:
            return metric.resampled(self.truth, self.predicted, number, len(found)), len(found)
        rows = metric.resampled(self.truth, self.predicted, np.arange(len(self)), len(self))
        return over_pairs(rows, number[: len(self)], number[len(self) :]), len(found)


def _equal(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    return a is b if a is None or b is None else np.array_equal(a, b)
