"""Results in words, alike in tables, exports and comparisons."""

import math
from collections.abc import Mapping

from sonde.core.words import true_minus
from sonde.ledger.records import Against, ResultRow
from sonde.stats.interval import Interval

IN_WORDS = "in words"  # the metric of a result that came as a text, from a table kept by hand


def number_in_words(value: float) -> str:
    """Return ``0.912``, ``1.20e−05`` or ``∞``; what is not a number is a dash."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return true_minus(f"{value:.3f}")
    return true_minus(f"{value:.2e}")


def interval_in_words(interval: Interval | None) -> str:
    """Return ``0.912 [0.880, 0.941]``; without an interval, a dash."""
    if interval is None:
        return "–"
    value, low, high = map(number_in_words, (interval.value, interval.low, interval.high))
    return f"{value} [{low}, {high}]"


def difference_in_words(interval: Interval) -> str:
    """Return ``+0.120 [−0.031, +0.271]``, with signs and a true minus."""
    parts = (interval.value, interval.low, interval.high)
    words = [number_in_words(part) for part in parts]
    value, low, high = (
        f"+{word}" if part > 0 else word for part, word in zip(parts, words, strict=True)
    )
    return f"{value} [{low}, {high}]"


def against_in_words(compared: Mapping[str, Against], kind: str) -> str:
    """Return ``shuffled labels 0.503 [0.421, 0.580], …``, or ``no control`` where there is none.

    ``kind`` is ``control`` or ``baseline``.
    """
    if not compared:
        return f"no {kind}"
    return ", ".join(f"{name} {interval_in_words(one.score)}" for name, one in compared.items())


def result_in_words(result: ResultRow) -> str:
    """Return a result in one line: where, metric, interval, n, controls and baselines."""
    what = " ".join(part for part in (result.method, result.metric) if part)
    if result.metric == IN_WORDS:
        return result.not_applicable
    name = f"{result.stage}.{result.name}"
    if result.score is None:
        return f"{name} {what} not applicable: {result.not_applicable}"
    controls = against_in_words(result.controls, "control")
    baselines = against_in_words(result.baselines, "baseline")
    compared = [
        f"controls: {controls}" if result.controls else controls,
        f"baselines: {baselines}" if result.baselines else baselines,
    ]
    score = interval_in_words(result.score)
    return f"{name} {what} {score}, n = {result.score.n} ({'; '.join(compared)})"
