"""Intervals of scores, of differences between scores, and of any linear combination of them.

Which interval: docs/decisions/0009-intervals.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from sonde.core.errors import SondeError
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.bounded import bounded, is_bounded
from sonde.stats.interval import Interval
from sonde.stats.limits import Fixed, Limits, Moved, normal_score
from sonde.stats.metrics import METRICS, Metric
from sonde.stats.scores import Scores
from sonde.stats.studentised import by_pairs, studentised
from sonde.stats.units import Design, shared_units

Number = float | int  # boundaries and weights are often written as whole numbers


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """A score or a combination of scores, with limits at any level.

    ``interval`` is at the bootstrap's level and counts the units of all parts. ``standard_error``
    is the delta method's over units; where the data show no spread, as in perfect separation, half
    the distance between the limits one standard error out. ``n_shared`` counts the units that
    every part has. ``ends`` are what is possible at all, which intervals do not leave.
    """

    interval: Interval
    standard_error: float
    design: Design
    n_shared: int
    limits: Limits
    ends: tuple[float, float] = (-inf, inf)

    def interval_at(self, level: float) -> Interval:
        """Return the two-sided interval at another level.

        Raises:
            SondeError: the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise SondeError(
                f"There is no interval at level {level}.",
                fix="Give a level between 0 and 1, such as 0.95.",
            )
        return _interval(self.interval.value, self.limits, self.interval.n, level, self.ends)

    def p_above(self, boundary: Number) -> float:
        """Return the one-sided p-value of H0: the effect is at most the boundary.

        The smallest alpha whose lower limit at confidence 1 - alpha exceeds the boundary, so it is
        below alpha / 2 just where the two-sided interval at 1 - alpha lies above the boundary. It
        is never 0: beyond the last 10 resamples on a side a bootstrap goes on as Student's t.
        """
        from scipy.special import ndtr

        return float(ndtr(normal_score(self.limits, float(boundary), from_above=False)))

    def p_below(self, boundary: Number) -> float:
        """Return the one-sided p-value of H0: the effect is at least the boundary."""
        from scipy.special import ndtr

        return float(ndtr(-normal_score(self.limits, float(boundary), from_above=True)))

    def units_to_decide(self, boundary: Number, power: float = 0.8) -> float:
        """Return how many units would tell the effect from the boundary, were the estimate true.

        n ((z(1 - alpha / 2) + z(power)) standard_error / |value - boundary|)^2 at the interval's
        level 1 - alpha, with designs and shares of units as they are; infinite where the estimate
        is the boundary.
        """
        from scipy.special import ndtri

        apart = abs(self.interval.value - boundary)
        if apart == 0:
            return float("inf")
        reach = float(ndtri((1 + self.interval.level) / 2) + ndtri(power)) * self.standard_error
        return self.interval.n * (reach / apart) ** 2


def interval_of(scores: Scores, bootstrap: Bootstrap | None = None) -> Interval:
    """Return the score with its interval over independent units.

    Means, R2 and correlations: bootstrap-t, on the scales -log(1 - R2) and Fisher's z. Accuracy,
    balanced accuracy, their likes of several classes and means of 0 and 1: Wilson's score interval,
    with effective rows where they come in groups. AUROC: a score interval with DeLong's variance.
    The bounds are NaN where the score is undefined or there are fewer than two units.
    """
    return combination([scores], [1.0], bootstrap).interval


def difference(a: Scores, b: Scores | Number, bootstrap: Bootstrap | None = None) -> Effect:
    """Compare: the metric of ``a`` minus that of ``b``, or minus a number.

    Raises:
        SondeError: the two are scored by different metrics.
    """
    if isinstance(b, Scores):
        return combination([a, b], [1.0, -1.0], bootstrap)
    return combination([a], [1.0], bootstrap, constant=-float(b))


def combination(
    parts: Sequence[Scores],
    weights: Sequence[Number],
    bootstrap: Bootstrap | None = None,
    *,
    constant: Number = 0.0,
) -> Effect:
    """Return constant + sum of weight * metric over the parts: an average, a trend, a difference.

    Parts that share units are taken as dependent and resampled together; others are independent.

    Raises:
        SondeError: there is no part, or not one weight for each, or the metrics differ.
    """
    _check(parts, weights)
    chosen, weights = bootstrap or Bootstrap(), [float(weight) for weight in weights]
    shared = shared_units(parts)
    if not all(_is_defined(part) for part in parts):
        value, error, limits = np.nan, np.nan, Fixed(np.nan, 0)
    elif all(is_bounded(part) for part in parts):
        value, error, limits = bounded(parts, weights, shared)
    else:
        smooth = METRICS[parts[0].metric].smooth
        assert smooth is not None
        if shared.pairwise:
            value, error, limits = by_pairs(parts, weights, shared, smooth)
        else:
            value, error, limits = studentised(parts, weights, shared, smooth, chosen)
    limits = Moved(limits, float(constant)) if constant else limits
    ends = _ends(METRICS[parts[0].metric], weights, float(constant))
    interval = _interval(value + constant, limits, shared.n, chosen.level, ends)
    if error == 0:
        error = (limits.at(1.0) - limits.at(-1.0)) / 2
    return Effect(interval, error, shared.design, shared.n_shared, limits, ends)


def _ends(metric: Metric, weights: Sequence[float], constant: float) -> tuple[float, float]:
    """Return the least and the largest value that a combination of the metric can have."""
    ranges = [
        sorted((weight * metric.floor, weight * metric.ceiling)) for weight in weights if weight
    ]
    return constant + sum(low for low, _ in ranges), constant + sum(high for _, high in ranges)


def _interval(
    value: float, limits: Limits, n: int, level: float, ends: tuple[float, float]
) -> Interval:
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
    low, high = limits.at(-z), limits.at(z)
    low = max(low, ends[0]) if np.isfinite(low) else np.nan
    high = min(high, ends[1]) if np.isfinite(high) else np.nan
    return Interval(value, low, high, n, level)


def _is_defined(part: Scores) -> bool:
    """Whether there are rows, no NaN, and two classes where the metric needs them."""
    if not len(part) or not part.complete:
        return False
    if part.metric == "macro_recall":
        return bool(part.truth is not None and np.ptp(part.truth) > 0)
    if part.truth is None or part.metric not in ("auroc", "balanced_accuracy"):
        return True
    positive = part.truth > 0.5
    return bool(positive.any() and not positive.all())


def _check(parts: Sequence[Scores], weights: Sequence[Number]) -> None:
    if not parts or len(parts) != len(weights):
        raise SondeError(
            f"There are {len(parts)} scores and {len(weights)} weights.",
            fix="Give at least one score, and one weight for each.",
        )
    metrics = sorted({part.metric for part in parts})
    if len(metrics) > 1:
        raise SondeError(
            f"Scores of different metrics are compared: {', '.join(metrics)}.",
            fix="Compare results that were scored by the same metric.",
        )
