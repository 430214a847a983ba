"""Predictions beside the truth, unit by unit, and the intervals made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from sonde.stats.bootstrap import Bootstrap
from sonde.stats.effects import combination, interval_of
from sonde.stats.interval import Interval
from sonde.stats.metrics import Metric
from sonde.stats.scores import Scores


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Out-of-fold predictions, arrays of equal length.

    ``unit`` is the independent unit (the group, or the example where there is none), ``other`` in
    pairwise data that of the second item. ``fold`` is the fold whose fit did not see the row,
    ``truth`` the label that was fitted (a shuffled one in a control). ``predicted`` is what the fit
    said, divided by ``scale``: for two classes the root mean square of what that fold's fit said of
    its held-out rows, so that folds whose fits differ in size can be ranked together; 1 otherwise.
    """

    example: np.ndarray  # str
    token: np.ndarray  # int32
    unit: np.ndarray  # str
    fold: np.ndarray  # int64
    truth: np.ndarray  # float64
    predicted: np.ndarray  # float64
    scale: np.ndarray  # float64
    other: np.ndarray | None = None  # str

    def __len__(self) -> int:
        return len(self.example)

    @property
    def said(self) -> np.ndarray:
        """What the fits said as they said it: logits, distances, numbers or class numbers."""
        return self.predicted * self.scale

    def scores(self, metric: str) -> Scores:
        """Return the rows as what a metric, its interval and its comparisons are computed from."""
        fitted = bool((self.fold >= 0).any())
        return Scores(
            metric, self.unit, self.predicted, self.truth, self.other, cross_validated=fitted
        )

    def every(self, step: int, start: int) -> "Scored":
        """Return every so many-th line: those of one target, where each row has several."""
        columns: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        known = {name: column for name, column in columns.items() if column is not None}
        return Scored(**{name: column[start::step] for name, column in known.items()})

    @classmethod
    def joined(cls, parts: Sequence["Scored"]) -> "Scored":
        """Lay several end to end."""
        paired = any(part.other is not None for part in parts)
        columns = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
            if field.name != "other"
        }
        none = (np.full(len(part), "") if part.other is None else part.other for part in parts)
        return cls(**columns, other=np.concatenate(list(none)) if paired else None)


def intervals(
    scored: Sequence[Scored], metric: Metric, bootstrap: Bootstrap
) -> tuple[Interval, ...]:
    """Score each, with an interval over units."""
    return tuple(interval_of(one.scores(metric.name), bootstrap) for one in scored)


def mean_intervals(
    scored: Sequence[Sequence[Scored]], metric: Metric, bootstrap: Bootstrap
) -> tuple[Interval, ...]:
    """Score the mean of each inner sequence (the shuffles of a layer), with its interval."""
    return tuple(mean_interval(several, metric, bootstrap) for several in scored)


def mean_interval(scored: Sequence[Scored], metric: Metric, bootstrap: Bootstrap) -> Interval:
    """Score the mean of several, with an interval over units; those they share are resampled once.

    They may be of different rows.
    """
    parts = [one.scores(metric.name) for one in scored]
    return combination(parts, [1 / len(parts)] * len(parts), bootstrap).interval
