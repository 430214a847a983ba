"""Whether a baseline leaves room for the difference that a comparison looks for."""

from dataclasses import dataclass
from math import isfinite

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
    """Refuse a comparison whose baseline sits at the end that it should move towards.

    There is not enough room where the baseline is nearer to the end than ``needed``, or where its
    interval touches the end: then no effect, however strong, can come out as one.

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
    touches = baseline.high >= end if rises else baseline.low <= end
    short = room < needed - 1e-12
    if not (touches or short):
        return Headroom(True, room)
    side = "ceiling" if rises else "floor"
    why = f"The baseline, {baseline}, has {room:.3g} of room to the {side} of {end:g}"
    if short:
        why += f", less than the difference of {needed:g} that matters"
    if touches:
        why += f", and its interval touches that {side}"
    return Headroom(False, room, why + ".", _fix(baseline, metric, rises))


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
