"""Verdicts in words: where an interval lies, and how much more data would decide."""

import math

from sonde.experiments.claims.questions import Question
from sonde.stats.interval import Interval

HOPELESS = 1e7  # units: to ask for more is no advice


def with_interval(interval: Interval, design: str) -> str:
    """Return ``+0.120 [+0.080, +0.160] (95 %, paired, 180 units)``."""
    value, low, high = (signed(part) for part in (interval.value, interval.low, interval.high))
    units = f"{interval.n:,} unit{'' if interval.n == 1 else 's'}"
    compared = "" if design == "single" else f"{design}, "
    facts = f"{100 * interval.level:g} %, {compared}{units}"
    return f"{value} [{low}, {high}] ({facts})"


def signed(number: float) -> str:
    """Write a difference with its sign and a true minus: ``+0.120``, ``−0.031``."""
    if math.isnan(number):
        return "–"
    return f"{number:+.3f}".replace("-", "−")


def bound_in_words(number: float) -> str:
    """Write a bound as it was given, with a true minus."""
    return f"{number:g}".replace("-", "−")


def place_in_words(verdict: str, question: Question, interval: Interval) -> str:
    """Say where the interval lies."""
    lower, upper = bound_in_words(question.lower), bound_in_words(question.upper)
    if not math.isfinite(interval.low + interval.high):
        return "the interval is not known"
    if verdict == "inconclusive":
        bounds = (question.lower, question.upper)
        inside = [bound for bound in bounds if interval.low <= bound <= interval.high]
        return f"the interval reaches across {' and '.join(map(bound_in_words, inside))}"
    if math.isfinite(question.upper):
        place = f"between {lower} and" if verdict == "confirmed" else f"outside of {lower} to"
        return f"the whole interval lies {place} {upper}"
    return f"the whole interval lies {'above' if verdict == 'confirmed' else 'below'} {lower}"


def advised(needed: float, n: int) -> str:
    """Say how many units would decide in place of ``n``."""
    if not needed <= HOPELESS:
        return "The estimate lies on the boundary, so that more data of the kind may not decide it."
    if needed <= n:
        return f"A few more than the {n:,} units would decide, were the estimate true."
    return (
        f"About {round_up(needed):,} units in place of {n:,} would decide in 4 of 5 cases, were "
        "the estimate true."
    )


def round_up(number: float) -> int:
    """Round a count up to two digits."""
    unit = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return math.ceil(number / unit) * unit
