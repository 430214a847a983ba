"""Speed of the bootstrap.

10,000 resamples of 3,000 rows, for every metric, on random data: the time from the rows to the
interval, draws included (each has a seed of its own, so none are kept from the one before), the
median of five. First the percentile bootstrap of each metric, then what `sonde.stats.interval_of`
takes, which resamples means, R² and correlations and has limits in closed form for the rest.
"""

from collections.abc import Callable
from itertools import count
from statistics import median
from time import perf_counter

import numpy as np

from bench.trust.figure import Figure
from sonde.stats import METRICS, Bootstrap, Interval, Scores, interval_of

LIMIT = 1.0  # seconds


def measure(resamples: int = 10_000, rows: int = 3_000, rounds: int = 5) -> list[Figure]:
    """Time every metric, with a row a unit and with ten rows a unit."""
    seeds = count()
    figures = []
    for make in (percentile, interval_of):
        for each in (1, 10):
            for name in METRICS:
                data = _scores(name, rows, each)
                took = median(
                    _seconds(make, data, Bootstrap(resamples, seed=next(seeds)))
                    for _ in range(rounds)
                )
                whose = "a row a unit" if each == 1 else f"{each} rows a unit"
                how = "interval_of" if make is interval_of else "percentile interval"
                what = f"{how}, {name}: {resamples:,} resamples of {rows:,} rows"
                figures.append(
                    Figure(
                        "",
                        f"{what}, {whose}",
                        f"under {LIMIT:g} s",
                        f"{took:.2f} s",
                        took < LIMIT,
                    )
                )
    return figures


def percentile(scores: Scores, bootstrap: Bootstrap) -> Interval:
    """Resample the metric itself."""
    return bootstrap.intervals(*scores.resampled())[0]


def _seconds(
    make: Callable[[Scores, Bootstrap], Interval], scores: Scores, bootstrap: Bootstrap
) -> float:
    start = perf_counter()
    interval = make(scores, bootstrap)
    took = perf_counter() - start
    assert interval.low < interval.value < interval.high
    return took


def _scores(name: str, rows: int, each: int) -> Scores:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(rows // each), each).astype(str)
    truth = rng.integers(0, 2, rows).astype(np.float64)
    predicted = truth - 0.5 + rng.normal(size=rows)
    if name in ("class_accuracy", "macro_recall"):  # they take class numbers
        predicted = (predicted > 0).astype(np.float64)
    if name == "share":
        predicted = 1 / (1 + np.exp(-predicted))
    if name == "ratio":  # the sum below is positive, in every resample
        truth = 1 + truth
    return Scores(name, unit, predicted, truth if METRICS[name].has_truth else None)
