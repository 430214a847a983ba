"""Whether probabilities mean what they say: the reliability diagram."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from sonde.core.errors import SondeError
from sonde.report.sections.calibration_chart import chart_of
from sonde.report.wording import count, figure, interval_text
from sonde.stats.interval import Interval

MOST = 2  # curves that a diagram can hold


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows whose probability lies from ``low`` to ``high``.

    ``predicted`` is their mean probability, ``observed`` the share that is of the class; None
    without rows.
    """

    low: float
    high: float
    predicted: float | None
    observed: Interval | None
    n: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """One probe's bins, from low to high.

    ``error`` is the expected calibration error: the mean of ``|observed - predicted|``, weighted
    by rows; ``by_luck`` what it would be on average if every probability were true. ``facts`` are
    pairs of a name and a value, such as the Brier score.
    """

    name: str
    bins: tuple[Bin, ...]
    error: float | None = None
    by_luck: float | None = None
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Calibration:
    """Reliability of one probe, or of one before and after its temperature was fitted."""

    curves: tuple[Reliability, ...]
    positive: str = ""
    note: str = ""
    title: str = "What the probabilities are worth"
    kind: ClassVar[str] = "calibration"

    def __post_init__(self) -> None:
        if not 1 <= len(self.curves) <= MOST:
            raise SondeError(
                f"A reliability diagram was given {len(self.curves)} curves.",
                fix="Give one, or two: before and after calibration.",
            )


def prepare(section: Calibration) -> dict[str, Any]:
    """Return what the template shows."""
    names = [curve.name for curve in section.curves]
    return {
        "sentence": _sentences(section),
        "chart": chart_of(section),
        "legend": list(enumerate(names)) if len(names) > 1 else [],
        "facts": [
            (name if len(names) == 1 else f"{curve.name}: {name}", value)
            for curve in section.curves
            for name, value in _facts(curve)
        ],
        "header": ["Probe", "Probability", "Rows", "Predicted", "Observed"],
        "rows": [
            [
                curve.name,
                f"{figure(one.low)} to {figure(one.high)}",
                count(one.n),
                figure(one.predicted, 3),
                interval_text(one.observed, 3),
            ]
            for curve in section.curves
            for one in curve.bins
        ],
    }


def _facts(curve: Reliability) -> list[tuple[str, str]]:
    if curve.error is None:
        return list(curve.facts)
    luck = "" if curve.by_luck is None else f", by luck alone {figure(curve.by_luck, 3)}"
    return [("Expected calibration error", figure(curve.error, 3) + luck), *curve.facts]


def known(curve: Reliability) -> list[tuple[Bin, float, Interval]]:
    """Return the bins that hold rows, with what was predicted and what was observed."""
    return [
        (one, one.predicted, one.observed)
        for one in curve.bins
        if one.n
        and one.predicted is not None
        and one.observed
        and math.isfinite(one.observed.value)
    ]


def _sentences(section: Calibration) -> str:
    """Say it of each curve, by its name where there are two."""
    said = [sentence(curve) for curve in section.curves]
    if len(said) == 1:
        return said[0]
    return " ".join(
        f"{curve.name[:1].upper()}{curve.name[1:]}: {words[0].lower()}{words[1:]}"
        for curve, words in zip(section.curves, said, strict=True)
    )


def sentence(curve: Reliability) -> str:
    """Say in how many bins the interval holds what was predicted, and where it misses most."""
    found = known(curve)
    if not found:
        return "No bin has a row."
    holds = [observed.low <= predicted <= observed.high for _, predicted, observed in found]
    whole = f"{count(sum(holds))} of {count(len(found))} bins"
    if all(holds):
        return (
            f"In every one of {count(len(found))} bins the interval of the observed share "
            "holds the mean prediction."
        )
    missed = [item for item, held in zip(found, holds, strict=True) if not held]
    _, predicted, observed = max(missed, key=_miss)
    return (
        f"In {whole} the interval of the observed share holds the mean prediction; "
        f"{_leaning(missed)}, most where {figure(predicted)} was predicted and "
        f"{figure(observed.value)} observed."
    )


def _miss(item: tuple[Bin, float, Interval]) -> float:
    one, predicted, observed = item
    return one.n * abs(predicted - observed.value)


def _leaning(missed: list[tuple[Bin, float, Interval]]) -> str:
    """Say how the missing bins lean: towards certainty, towards one half, or to one side."""
    surer = [abs(predicted - 0.5) > abs(observed.value - 0.5) for _, predicted, observed in missed]
    higher = [predicted > observed.value for _, predicted, observed in missed]
    if all(higher) or not any(higher):
        return f"elsewhere its probabilities are too {'high' if higher[0] else 'low'}"
    if all(surer) or not any(surer):
        return f"elsewhere it is {'overconfident' if surer[0] else 'underconfident'}"
    return "elsewhere it misses in either direction"
