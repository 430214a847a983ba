"""Intervals, controls and baselines as the ledger keeps them.

A JSON value that is not a number is null; infinities, which JSON does not have either, are the
texts "Infinity" and "-Infinity".
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sonde.ledger.records import Against
from sonde.stats.interval import Interval

if TYPE_CHECKING:
    from sonde.ledger.columns import Row  # imports sqlalchemy, which takes long


def number(value: float | None) -> float | None:
    """Return a number as a column keeps it: NaN is null."""
    return None if value is None or math.isnan(value) else float(value)


def interval_stored(interval: Interval | None) -> dict[str, Any] | None:
    """Return an interval as JSON."""
    if interval is None:
        return None
    return {
        **{name: _json_number(getattr(interval, name)) for name in ("value", "low", "high")},
        "n": int(interval.n),
        "level": float(interval.level),
    }


def interval_read(stored: "Row | None") -> Interval | None:
    """Return the interval that was stored, as JSON or as the columns of a row."""
    if stored is None:
        return None
    value, low, high = (
        math.nan if stored[name] is None else float(stored[name])
        for name in ("value", "low", "high")
    )
    return Interval(value, low, high, int(stored["n"]), float(stored["level"]))


def against_stored(compared: Mapping[str, Against]) -> dict[str, Any]:
    """Return controls or baselines as JSON."""
    return {
        name: {**(interval_stored(one.score) or {}), "series": list(one.series)}
        for name, one in compared.items()
    }


def against_read(stored: Mapping[str, Any]) -> dict[str, Against]:
    """Return the controls or baselines that were stored."""
    found: dict[str, Against] = {}
    for name, one in stored.items():
        score = interval_read(one)
        assert score is not None
        found[name] = Against(score, tuple(one["series"]))
    return found


def _json_number(value: float) -> float | str | None:
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return number(value)
