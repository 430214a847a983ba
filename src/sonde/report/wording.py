"""Numbers as a reader sees them: true minus signs, no needless zeros, grouped thousands."""

import math
from collections.abc import Mapping, Sequence

from sonde.probes.names import BASELINES, CONTROLS, in_order
from sonde.stats.interval import Interval

MISSING = "–"


def figure(value: float | None, digits: int = 2) -> str:
    """Write a score: ``.93`` for 0.93, ``1.00``, ``−.20``; an en dash where it is not finite."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{abs(value):.{digits}f}"
    if text.startswith("0.") and digits:
        text = text[1:]
    negative = value < 0 and float(text) != 0
    return f"−{text}" if negative else text


def interval_text(interval: Interval | None, digits: int = 2) -> str:
    """Write an estimate with its interval: ``.93 [.90, .96]``."""
    if interval is None or not math.isfinite(interval.value):
        return MISSING
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return figure(interval.value, digits)
    low, high = figure(interval.low, digits), figure(interval.high, digits)
    return f"{figure(interval.value, digits)} [{low}, {high}]"


def count(number: int) -> str:
    """Write a count with grouped thousands: ``12,345``."""
    return f"{number:,}"


def counted(number: int, one: str, many: str = "") -> str:
    """Write a count with its noun: ``1 row``, ``3 rows``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def magnitude(value: float | None) -> str:
    """Write a positive size with three figures at most: ``4.2``, ``37``, ``1,840``."""
    if value is None or not math.isfinite(value):
        return MISSING
    size = abs(value)
    digits = 2 if size < 1 else 1 if size < 10 else 0
    text = f"{size:,.{digits}f}"
    return f"−{text}" if value < 0 else text


def share(part: float, whole: float = 1.0) -> str:
    """Write a share in percent: ``0.05 %``, ``3.4 %``; an en dash where the whole is nothing."""
    if not whole or not math.isfinite(part / whole):
        return MISSING
    percent = 100 * part / whole
    if 0 < percent < 0.005:
        return "under 0.01 %"
    digits = 0 if not percent or percent >= 10 else 1 if percent >= 1 else 2
    return f"{percent:.{digits}f} %"


def listed(items: Sequence[str], last: str = "and") -> str:
    """Join with commas and a last word: ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def absences(missing: Mapping[str, str]) -> list[str]:
    """Say which controls and baselines are not there, and why; nothing where none is missing.

    ``No baseline (no texts were given)`` where all are, else they are named.
    """
    by_reason: dict[tuple[str, str], list[str]] = {}
    for name in in_order(missing):
        what = "baseline" if name in BASELINES else "control"
        by_reason.setdefault((what, missing[name]), []).append(name)
    said: list[str] = []
    for (what, reason), names in by_reason.items():
        usual = {*BASELINES[:2]} if what == "baseline" else {*CONTROLS[:2]}
        named = "" if set(names) >= usual else f"{listed(names, 'or')} "
        said.append(f"No {named}{what} ({reason})")
    return said
