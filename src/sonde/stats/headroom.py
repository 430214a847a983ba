"""Whether a baseline leaves room for the difference that a comparison looks for."""

from dataclasses import dataclass
from math import hypot, isfinite

from sonde.stats.interval import Interval
from sonde.stats.metrics import Metric


@dataclass(frozen=True, slots=True)
class Headroom:
    """``room`` is the distance from the baseline to the end of the metric's range.

    ``why`` and ``fix`` are sentences, empty where there is ``enough``.
    """

    enough: bool
    room: float
    why: str = ""
    fix: str = ""


def headroom(
    baseline: Interval, metric: Metric, needed: float = 0.0, *, rises: bool = True
) -> Headroom:
    """Refuse a comparison whose baseline sits too near the end that it should move towards.

    There is not enough room where the baseline is nearer to the end than ``needed``; where its
    interval touches the end; or where even a score at the very end, of as many units, could not be
    told from it. That last is so where the room is at most ``hypot(u, e)`` (Zou and Donner 2008):
    u from the baseline to its bound on that side, e from the end to the bound of a score there,
    ``z² / (n + z²)`` of a range with two ends (Wilson) and 0 otherwise.

    Args:
        baseline: the baseline's score.
        metric: whose ``ceiling`` and ``floor`` are the ends.
        needed: the smallest difference that matters, in the metric's unit.
        rises: whether the baseline is to be exceeded; False: undercut.
    """
    end = metric.ceiling if rises else metric.floor
    if not isfinite(end):
        return Headroom(True, float("inf"))
    room = (end - baseline.value) if rises else (baseline.value - end)
    towards = (baseline.high - baseline.value) if rises else (baseline.value - baseline.low)
    reasons = []
    if room < needed - 1e-12:
        reasons.append(f"less than the difference of {needed:g} that matters")
    side = "ceiling" if rises else "floor"
    if towards >= room:
        reasons.append(f"and its interval touches that {side}")
    elif hypot(towards, _at_the_end(baseline, metric)) >= room:
        reasons.append(
            f"and even a score at that {side} of {baseline.n} units could not be told from it"
        )
    if not reasons:
        return Headroom(True, room)
    why = f"The baseline, {baseline}, has {room:.3g} of room to the {side} of {end:g}"
    return Headroom(False, room, ", ".join([why, *reasons]) + ".", _fix(baseline, metric, rises))


def _at_the_end(baseline: Interval, metric: Metric) -> float:
    """Return how far the interval of a score at the end would reach back; 0 for a constant."""
    from scipy.special import ndtri

    if baseline.n < 1 or not isfinite(metric.ceiling - metric.floor):
        return 0.0
    squared = float(ndtri((1 + baseline.level) / 2)) ** 2
    return (metric.ceiling - metric.floor) * squared / (baseline.n + squared)


def _fix(baseline: Interval, metric: Metric, rises: bool) -> str:
    """Say what to change: the middle of the range where it has two ends."""
    if not (isfinite(metric.floor) and isfinite(metric.ceiling)):
        return (
            f"Choose prompts or items that are {'harder' if rises else 'easier'}, so that the "
            f"baseline lies further from {metric.ceiling if rises else metric.floor:g}."
        )
    middle = (metric.floor + metric.ceiling) / 2
    if (metric.floor, metric.ceiling) != (0.0, 1.0):
        return f"Choose prompts or items whose baseline lies near {middle:g}."
    now = (
        f"already succeeds in {baseline.value:.0%} of cases"
        if rises
        else f"succeeds in only {baseline.value:.0%} of cases"
    )
    return (
        f"The baseline {now}; choose prompts or items whose baseline lies near {middle:g}, and "
        "give more of them if its interval is wide."
    )
