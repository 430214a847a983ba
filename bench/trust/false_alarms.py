"""False alarms.

A claim at its boundary is one whose true difference is exactly the smallest that matters: to
confirm it is a false alarm. Data sets are made up in which that is so, the whole search is run on
each (probes over layers and penalties with nested choice, coefficients chosen by some prompts and
scored on others), and the claim is judged by the rule of the experiment file. At most 5 % may come
out confirmed, by the upper end of the rate's 95 % Wilson interval.

What is the true difference? First, that of what the searches found: the scores, on fresh rows, of
the probes that the outer folds chose and fitted, or the effects of the coefficients that they
chose. It is known in closed form (AUROC Phi(w . mu / (|w| sqrt 2)) for each fitted w) and the
boundary is put there, data set by data set. This is what a claim speaks of. Second, the same on
average over data sets, so that also the search itself, which finds better and worse probes, may be
claimed about. Where a search misses the one good layer in half of the data sets, the two differ:
of two equally good searches one has then truly found the better probe, and an interval from one
data set cannot know what others would have led to.

The last table shows the price: the intervals hold what was found in more than 95 % of data sets.
It also shows that scores pooled over folds are a little too low where folds chose different
layers or penalties, whose predictions do not share a scale.

"Fits taken as given" is the rate if intervals did not know that the same rows also trained the
fits; it is why the standard errors of cross-validated scores are widened (docs/decisions/0010).
"Quoting the best" is the rate if the best layer or coefficient were quoted by the score that chose
it.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from bench.trust.figure import Figure
from bench.trust.procedures import as_given
from bench.trust.scenarios import SCENARIOS, Scenario
from bench.trust.verdicts import confirmed
from sonde.stats import Effect, combination, wilson

PIECE = 50  # data sets a task: enough to keep two processes busy to the end
WORST = 0.05
FOUND = "Confirmed at the true difference of what was found"
AVERAGE = "Confirmed at the true difference of the searches on average"
COVERED = "How often the 95 % interval holds the true difference of what was found"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of a scenario's data sets.

    Whether each kind of claim was confirmed, ``[data set, kind]``: at the true value of what was
    found, at that of the search on average, with fits taken as given, quoting the best. And the
    estimate, the true value, and whether the interval holds it, ``[data set]``.
    """

    found: np.ndarray
    average: np.ndarray
    as_given: np.ndarray
    flattered: np.ndarray
    estimate: np.ndarray
    worth: np.ndarray
    covered: np.ndarray

    @classmethod
    def joined(cls, parts: Iterable["Outcome"]) -> "Outcome":
        some = list(parts)
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(part, name) for part in some]) for name in names))


def measure(share: float = 1.0, processes: int = 2) -> list[Figure]:
    """Run every scenario (``share`` of its data sets) and return the rates."""
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    os.environ.update(threads)  # the processes below take them over
    figures: list[Figure] = []
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        truths = list(pool.map(_truth, range(len(SCENARIOS))))
        jobs = [
            (number, truths[number], start, min(start + PIECE, count))
            for number, one in enumerate(SCENARIOS)
            for count in [max(1, round(one.repeats * share))]
            for start in range(0, count, PIECE)
        ]
        done = list(pool.map(_piece, jobs))
    for number, scenario in enumerate(SCENARIOS):
        mine = [found for job, found in zip(jobs, done, strict=True) if job[0] == number]
        figures += _figures(scenario, truths[number], Outcome.joined(mine))
    return sorted(figures, key=lambda one: (FOUND, AVERAGE, COVERED).index(one.section))


def simulate(scenario: Scenario, truth: float, seeds: Iterable[int]) -> Outcome:
    """Draw a data set for each seed and judge its claims, which are all at their boundary."""
    rows = []
    for seed in seeds:
        drawn = scenario.draw(seed)
        effect = combination(drawn.parts, scenario.weights)
        given = combination(as_given(drawn.parts), scenario.weights)
        best = combination(as_given(drawn.flattered), scenario.weights)
        low, high = effect.interval.low, effect.interval.high
        rows.append(
            (
                _judged(scenario, effect, drawn.worth),
                _judged(scenario, effect, truth),
                _judged(scenario, given, drawn.worth),
                _judged(scenario, best, truth),
                effect.interval.value,
                drawn.worth,
                low <= drawn.worth <= high,
            )
        )
    return Outcome(*(np.array(column) for column in zip(*rows, strict=True)))


def _judged(scenario: Scenario, effect: Effect, boundary: float) -> list[bool]:
    return [confirmed(effect, kind, boundary) for kind in scenario.kinds]


def _truth(number: int) -> float:
    return SCENARIOS[number].truth()


def _piece(job: tuple[int, float, int, int]) -> Outcome:
    number, truth, start, stop = job
    return simulate(SCENARIOS[number], truth, range(start, stop))


def _figures(scenario: Scenario, truth: float, outcome: Outcome) -> list[Figure]:
    figures = []
    for column, kind in enumerate(scenario.kinds):
        what = f"{kind.replace('_', '-')}: {scenario.what}"
        given, best = (rate[:, column].mean() for rate in (outcome.as_given, outcome.flattered))
        beside = f"fits taken as given: {given:.1%}"
        figures.append(_rate(FOUND, what, outcome.found[:, column], beside))
        beside = f"quoting the best: {best:.1%}"
        figures.append(_rate(AVERAGE, what, outcome.average[:, column], beside))
    covered = wilson(int(outcome.covered.sum()), len(outcome.covered))
    error = np.std(outcome.estimate - outcome.worth) / np.sqrt(len(outcome.worth))
    figures.append(
        Figure(
            COVERED,
            scenario.what,
            "92.5 % or more",
            f"{covered.value:.1%} [{covered.low:.1%}, {covered.high:.1%}]; worth "
            f"{outcome.worth.mean():+.3f} on average, estimated "
            f"{outcome.estimate.mean():+.3f} ± {error:.3f}",
            covered.high >= 0.925,
        )
    )
    return figures


def _rate(section: str, what: str, confirmed: np.ndarray, beside: str) -> Figure:
    rate = wilson(int(confirmed.sum()), len(confirmed))
    figure = f"{rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}] of {rate.n:,} ({beside})"
    return Figure(section, what, "upper end at most 5 %", figure, rate.high <= WORST)
