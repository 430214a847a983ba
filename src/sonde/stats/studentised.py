"""Bootstrap-t limits of smooth scores, of their differences and of other combinations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sonde.stats.bootstrap import Bootstrap
from sonde.stats.limits import Fixed, Limits, Studentised
from sonde.stats.metrics import METRICS
from sonde.stats.resampled import unit_sums
from sonde.stats.scores import Scores
from sonde.stats.sums import SmoothSums
from sonde.stats.units import Shared

Resamples = Float[np.ndarray, " resample"]
NONE = np.empty(0)
FEWEST = 4  # units to resample; of two, 95 % intervals miss the mean of normal values half the time


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """An estimate and its standard error, in the data and in each resample."""

    value: float
    error: float
    values: Resamples
    errors: Resamples

    def pivots(self) -> Resamples:
        """Return (value* - value) / error*, sorted.

        A resample without any spread is measured by the data's own standard error.
        """
        errors = np.where(self.errors > 1e-9 * self.error, self.errors, self.error)
        found = (self.values - self.value) / errors
        return np.sort(found[np.isfinite(found)])

    def linked(self, smooth: SmoothSums, stretch: float, df: float) -> Limits:
        """Return limits made on the scale of the score's link, errors stretched."""
        with np.errstate(divide="ignore", invalid="ignore"):  # a resample may be perfect
            linked = Drawn(
                float(smooth.link(self.value)),
                float(smooth.slope(self.value) * self.error),
                smooth.link(self.values),
                smooth.slope(self.values) * self.errors,
            )
            pivots = linked.pivots()
        if not np.isfinite([linked.value, linked.error]).all():  # R2 or a correlation of 1
            return Fixed(self.value, int(df) + 1)
        return Studentised(linked.value, stretch * linked.error, pivots, df, smooth.inverse)


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """A weighted sum of smooth scores of parts that are resampled together.

    ``by_unit`` holds each part's sums of each unit.
    """

    by_unit: tuple[Float[np.ndarray, "unit term"], ...]
    weights: tuple[float, ...]
    smooth: SmoothSums

    @property
    def n(self) -> int:
        """Count the units."""
        return len(self.by_unit[0])

    def resampled(self, drawn: Float[np.ndarray, "resample unit"]) -> tuple[Resamples, Resamples]:
        """Return the weighted sum and its variance in each resample.

        The variance is the delta method's: sum over units of (gradient . the unit's sums)^2, times
        n / (n - 1).
        """
        value, moved = np.zeros(len(drawn)), np.zeros(drawn.shape)
        for sums, weight in zip(self.by_unit, self.weights, strict=True):
            total = drawn @ sums
            value += weight * self.smooth.score(total)
            moved += (weight * self.smooth.gradient(total)) @ sums.T
        np.square(moved, out=moved)
        correction = self.n / (self.n - 1) if self.n > 1 else np.nan
        return value, np.einsum("ru,ru->r", drawn, moved) * correction


def studentised(
    parts: Sequence[Scores],
    weights: Sequence[float],
    shared: Shared,
    smooth: SmoothSums,
    bootstrap: Bootstrap,
) -> tuple[float, float, Limits]:
    """Return the weighted sum of the parts' scores, its standard error and its limits.

    Parts that share units are resampled together over the units of any of them, the others each
    on its own. One score alone is studentised on the scale of its link, a sum on its own scale.
    """
    alone = len(parts) == 1 and weights[0] == 1
    # Where a part's standard error is larger than resampling shows, so are its deviations.
    factors = [1.0] if alone else _stretched(parts, weights)
    groups = [_group(parts, factors, shared, smooth, members) for members in shared.together]
    centre, error = _total([group.resampled(np.ones((1, group.n))) for group in groups])
    value = _value(parts, weights, smooth)
    df = float(max(sum(group.n for group in groups) - len(groups), 1))
    enough = min(group.n for group in groups) >= FEWEST
    if not np.isfinite(error[0]) or error[0] <= 1e-12 * abs(value):
        alike = value if np.isfinite(error[0]) else np.nan
        return value, float(error[0]), Fixed(alike, min(group.n for group in groups))
    draws = [_draw(group, bootstrap, stream) for stream, group in enumerate(groups) if enough]
    drawn = Drawn(float(centre[0]), float(error[0]), *(_total(draws) if draws else (NONE, NONE)))
    if alone:
        if (
            not enough and METRICS[parts[0].metric].has_truth
        ):  # three points lie on a line too often
            return value, parts[0].stretch * drawn.error, Fixed(np.nan, 0)
        stretch = parts[0].stretch
        return value, stretch * drawn.error, drawn.linked(smooth, stretch, df)
    return value, drawn.error, Studentised(value, drawn.error, drawn.pivots(), df, float)


def by_pairs(
    parts: Sequence[Scores], weights: Sequence[float], shared: Shared, smooth: SmoothSums
) -> tuple[float, float, Limits]:
    """Do the same for rows that are pairs of items, with Student's quantiles and no resampling.

    Resampling items makes the variance too large (see ``over_pairs``), so the standard error is
    the one for pairs, and the degrees of freedom are the items less one.
    """
    value = _value(parts, weights, smooth)
    if not np.isfinite(value):
        return value, np.nan, Fixed(np.nan, 0)
    influences = []
    for part in parts:
        rows = smooth.terms(part.truth, part.predicted)
        influences.append(rows @ smooth.gradient(rows.sum(axis=0)))
    correction = shared.n / (shared.n - 1) if shared.n > 1 else np.nan
    covariance = shared.covariance(range(len(parts)), influences) * correction
    factors = np.array(_stretched(parts, weights))
    error = float(np.sqrt(factors @ covariance @ factors))
    df = float(max(shared.n - len(shared.together), 1))
    if not np.isfinite(error) or error <= 1e-12 * abs(value):
        return value, error, Fixed(value if np.isfinite(error) else np.nan, shared.n)
    if len(parts) == 1 and weights[0] == 1:
        return value, error, Drawn(value, error, NONE, NONE).linked(smooth, 1.0, df)
    return value, error, Studentised(value, error, NONE, df, float)


def _stretched(parts: Sequence[Scores], weights: Sequence[float]) -> list[float]:
    return [weight * part.stretch for weight, part in zip(weights, parts, strict=True)]


def _value(parts: Sequence[Scores], weights: Sequence[float], smooth: SmoothSums) -> float:
    scores = [smooth.score(smooth.terms(one.truth, one.predicted).sum(axis=0)) for one in parts]
    return float(np.dot(weights, scores))


def _total(draws: Sequence[tuple[Resamples, Resamples]]) -> tuple[Resamples, Resamples]:
    """Add up the values, and the variances of independent groups; return standard errors."""
    values, variances = zip(*draws, strict=True)
    return np.sum(values, axis=0), np.sqrt(np.sum(variances, axis=0))


def _group(
    parts: Sequence[Scores],
    weights: Sequence[float],
    shared: Shared,
    smooth: SmoothSums,
    members: Sequence[int],
) -> Together:
    """Gather the sums of parts that share units, over the units that any of them has."""
    sums = [
        unit_sums(smooth, parts[one].truth, parts[one].predicted, shared.parts[one].first, shared.n)
        for one in members
    ]
    if len(shared.together) > 1:
        present = np.zeros(shared.n, bool)
        for one in members:
            present[shared.parts[one].first] = True
        sums = [one[present] for one in sums]
    return Together(tuple(sums), tuple(weights[one] for one in members), smooth)


def _draw(group: Together, bootstrap: Bootstrap, stream: int) -> tuple[Resamples, Resamples]:
    pieces = [group.resampled(drawn) for drawn in bootstrap.weights(group.n, stream)]
    values, variances = zip(*pieces, strict=True)
    return np.concatenate(values), np.concatenate(variances)
