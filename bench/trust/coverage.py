"""Coverage: how often an interval holds the truth.

From each distribution 4,000 data sets are drawn, and the 95 % interval of each is made by the
public functions (`interval_of`, `difference`) with their defaults, 1,000 resamples included. The
truth is a closed form. n counts independent units: groups where rows come in groups, items where
they are pairs of items. The target is coverage in 92.5 to 97.5 % of cases; the figure shows which
side the others missed on. Accuracy of independent rows has few outcomes: there every number of
right rows is taken once and weighted by its chance, so the rate is exact.

Where two answers are expected to differ in three rows of a hundred, coverage moves in lumps and no
interval keeps to 95 %; the target there is not to fall short.

The last table has intervals that are in common use, on data where they fail, and why sonde does
not use them there (docs/decisions/0009-intervals.md).
"""

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from zlib import crc32

import numpy as np
from scipy.stats import binom

from bench.trust.coverage_cases import CASES, COMPARED
from bench.trust.distributions import Case, names
from bench.trust.figure import Figure
from sonde.stats import Bootstrap, Interval, Scores, delong_interval, difference, interval_of

DATA_SETS = 4000
PIECE = 500
WANTED = (0.925, 0.975)


@dataclass(frozen=True, slots=True)
class Covered:
    """In how many data sets the interval lay above or below the truth.

    Each data set counts as one, or as its chance where all possible ones are taken.
    """

    count: float
    above: float
    below: float
    width: float  # the sum of the widths

    def __add__(self, other: "Covered") -> "Covered":
        return Covered(
            self.count + other.count,
            self.above + other.above,
            self.below + other.below,
            self.width + other.width,
        )

    @property
    def rate(self) -> float:
        return 1 - (self.above + self.below) / self.count


def measure(data_sets: int = DATA_SETS, processes: int = 2) -> list[Figure]:
    """Simulate every case at every size, and return the rates."""
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes below take it over
    jobs = [
        (number, n, method, start, min(start + PIECE, data_sets))
        for number, n, method in _everything()
        for start in range(0, 1 if CASES[number].every and not method else data_sets, PIECE)
    ]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        done = list(pool.map(_piece, jobs))
    found: dict[tuple[int, int, str], Covered] = {}
    for (number, n, method, *_), part in zip(jobs, done, strict=True):
        key = number, n, method
        found[key] = found[key] + part if key in found else part
    figures = [
        _figure(CASES[number], n, method, found[number, n, method])
        for number, n, method in _everything()
    ]
    own = len(figures) - len(COMPARED)
    return [*figures[:own], _over_shares(30), *figures[own:]]


def covered(case: Case, n: int, data_sets: Iterable[int], method: str = "") -> Covered:
    """Draw data sets by number and count what their intervals do."""
    found = Covered(0, 0, 0, 0.0)
    for number in data_sets:
        rng = np.random.default_rng([crc32(case.what.encode()), n, number])
        found += _judged(case.truth, _interval(case.draw(rng, n), method))
    return found


def every_share(chance: float, n: int) -> Covered:
    """Take every number of right rows of ``n`` once, weighted by its chance."""
    found = Covered(0, 0, 0, 0.0)
    for right, weight in enumerate(binom.pmf(np.arange(n + 1), n, chance)):
        said = np.where(np.arange(n) < right, 1.0, -1.0)
        found += _judged(
            chance, interval_of(Scores("accuracy", names(n), said, np.ones(n))), weight
        )
    return found


def _judged(truth: float, interval: Interval, weight: float = 1.0) -> Covered:
    above = not interval.low <= truth  # NaN bounds hold nothing
    below = not above and not truth <= interval.high
    width = weight * (interval.high - interval.low)
    return Covered(weight, weight * above, weight * below, width)


def _interval(parts: tuple[Scores, ...], method: str) -> Interval:
    if len(parts) == 2:
        return difference(*parts).interval
    (scores,) = parts
    if not method:
        return interval_of(scores)
    if method == "DeLong":
        assert scores.truth is not None
        return delong_interval(scores.truth, scores.predicted)
    statistic, n_units = scores.resampled()
    kind = "bca" if method == "BCa" else "percentile"
    return Bootstrap().intervals(statistic, n_units, kind)[0]


def _everything() -> list[tuple[int, int, str]]:
    own = [(number, n, "") for number, case in enumerate(CASES) for n in case.sizes]
    numbers = {case.what: number for number, case in enumerate(CASES)}
    return own + [(numbers[what], n, method) for what, n, method in COMPARED]


def _piece(job: tuple[int, int, str, int, int]) -> Covered:
    number, n, method, start, stop = job
    if CASES[number].every and not method:
        return every_share(CASES[number].truth, n)
    return covered(CASES[number], n, range(start, stop), method)


def _figure(case: Case, n: int, method: str, found: Covered) -> Figure:
    text = (
        f"{found.rate:.1%} (too high {found.above / found.count:.1%}, "
        f"too low {found.below / found.count:.1%}); mean width {found.width / found.count:.3g}"
    )
    if method:
        what = f"{method}: {case.section.lower()} of {case.what}, n = {n:,}"
        return Figure("For comparison: other intervals", what, "", text, True)
    held = WANTED[0] <= found.rate <= WANTED[1]
    target = "92.5 to 97.5 %"
    if case.lumpy and n < 1000:
        held, target = found.rate >= WANTED[0], "at least 92.5 %"
    return Figure(case.section, f"{case.what}, n = {n:,}", target, text, held)


def _over_shares(n: int) -> Figure:
    """Return the figure of every hundredth share from .5 to .98."""
    rates = [every_share(hundredth / 100, n).rate for hundredth in range(50, 99)]
    text = f"{np.mean(rates):.1%} on average, from {min(rates):.1%} to {max(rates):.1%}"
    what = f"accuracies from .50 to .98 in steps of .01, n = {n}"
    return Figure("Accuracy at each share", what, "", text, True)
