"""Claims whose true difference lies exactly at their boundary, on data made up anew each time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

import numpy as np

from bench.trust import planted
from bench.trust.planted import Planted
from bench.trust.procedures import Search, renamed
from sonde.stats import Scores, choose, grouped_folds

Kind = Literal["superiority", "non_inferiority", "equivalence", "trend"]
TRUTH_SETS = 300  # training sets that a search's expected score is averaged over


@dataclass(frozen=True, slots=True)
class Drawn:
    """One simulated data set: the scores that a claim compares, and the flattered ones.

    ``worth`` is the true value of what was found in it (of the weighted sum of the parts).
    ``flattered`` are the same scores as one would have them who quotes the best layer (or
    coefficient) by the units that chose it.
    """

    parts: tuple[Scores, ...]
    flattered: tuple[Scores, ...]
    worth: float


class Scenario(Protocol):
    """A claim about ``sum of weights * score of parts``; ``truth`` is its value on average."""

    what: str
    kinds: tuple[Kind, ...]
    weights: tuple[float, ...]
    repeats: int

    def draw(self, seed: int) -> Drawn: ...

    def truth(self) -> float: ...


@dataclass(frozen=True, slots=True)
class ProbeScenario:
    """Searches on planted layers. ``strengths`` has, for each side, its layers' strengths.

    One side is claimed against a constant, or (``weights`` of several entries, one side) its layers
    against each other; two sides against each other, on the same rows or ``apart``.
    """

    what: str
    search: Search
    strengths: tuple[tuple[float, ...], ...]
    kinds: tuple[Kind, ...] = ("superiority",)
    weights: tuple[float, ...] = (1.0,)
    n: int = 100
    d: int = 16
    group_of: int = 1
    alike: float = 0.0
    apart: bool = False
    repeats: int = 600

    def draw(self, seed: int) -> Drawn:
        rng = np.random.default_rng([seed, 1])
        parts: list[Scores] = []
        flattered: list[Scores] = []
        worth: list[float] = []
        for number, side in enumerate(self._sides(rng)):
            results = self.search.fit(side, seed)
            own = [self.search.scores(layer.scored) for layer in results.layers]
            chosen = [self.search.scores(results.selection.scored)]
            best = [max(own, key=lambda scores: scores.value)]
            if self.by_layer:
                chosen = best = own
                worth += [self.search.worth_found(side, results, hook) for hook in side.acts.hooks]
            else:
                worth.append(self.search.worth_found(side, results))
            if self.apart:
                chosen, best = (
                    [renamed(one, f"{number}:") for one in some] for some in (chosen, best)
                )
            parts += chosen
            flattered += best
        return Drawn(tuple(parts), tuple(flattered), float(np.dot(self.weights, worth)))

    @property
    def by_layer(self) -> bool:
        """Whether the layers of the one side are compared, not the score of choosing among them."""
        return len(self.strengths) == 1 and len(self.weights) > 1

    def truth(self) -> float:
        worths = [
            _worth(self.search, side, self.n, self.d, self.group_of, self.alike)
            for side in self.strengths
        ]
        values = worths[0][1:] if self.by_layer else [worth[0] for worth in worths]
        return float(np.dot(self.weights, values))

    def _sides(self, rng: np.random.Generator) -> list[Planted]:
        given = {"group_of": self.group_of, "alike": self.alike}
        if self.search.kind == "ridge":
            return [planted.numbers(rng, max(self.strengths[0]), self.n, self.d)]
        if self.apart:
            return [planted.classes(rng, one, self.n, self.d, **given) for one in self.strengths]
        layers = [strength for side in self.strengths for strength in side]
        return planted.classes(rng, layers, self.n, self.d, **given).split(
            [len(side) for side in self.strengths]
        )


@cache
def _worth(
    search: Search, strengths: tuple[float, ...], n: int, d: int, group_of: int, alike: float
) -> Sequence[float]:
    """Average what a search is worth over training sets of its outer folds' size."""
    train = n * (search.folds - 1) // search.folds
    found = []
    for number in range(TRUTH_SETS):
        rng = np.random.default_rng([number, 2])
        if search.kind == "ridge":
            data = planted.numbers(rng, max(strengths), train, d)
        else:
            data = planted.classes(rng, strengths, train, d, group_of=group_of, alike=alike)
        found.append(search.worth(data, number))
    return np.mean(found, axis=0).tolist()


@dataclass(frozen=True, slots=True)
class CoefficientScenario:
    """A steering coefficient chosen by some prompts and scored on others, against no steering.

    ``success`` are the true shares of prompts that succeed, the unsteered one first. What a prompt
    does under different coefficients is correlated by 0.5.
    """

    what: str
    success: tuple[float, ...]
    n: int = 60
    kinds: tuple[Kind, ...] = ("superiority",)
    weights: tuple[float, ...] = (1.0, -1.0)
    repeats: int = 2000

    def draw(self, seed: int) -> Drawn:
        done = self._tried(np.random.default_rng([seed, 3]), self.n)
        unit = np.array([f"prompt {number}" for number in range(self.n)])
        found = choose(done[1:], grouped_folds(unit, 5, seed=seed))
        chosen = Scores("mean", unit, found.scores, None, cross_validated=True)
        best = Scores("mean", unit, done[1 + found.overall], None)
        unsteered = Scores("mean", unit, done[0], None)
        effects = np.array(self.success[1:]) - self.success[0]
        worth = float(effects[found.chosen[found.folds]].mean())
        return Drawn((chosen, unsteered), (best, unsteered), worth)

    def truth(self) -> float:
        """Average the true effect of what the prompts outside a fold choose."""
        effects = np.array(self.success[1:]) - self.success[0]
        chosen = [
            self._tried(np.random.default_rng([number, 4]), self.n * 4 // 5)[1:].mean(axis=1)
            for number in range(10 * TRUTH_SETS)
        ]
        return float(effects[np.argmax(chosen, axis=1)].mean())

    def _tried(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return whether each prompt succeeds under each coefficient, ``[coefficient, prompt]``."""
        from scipy.special import ndtri

        own, shared = rng.normal(size=(len(self.success), n)), rng.normal(size=n)
        ease = np.sqrt(0.5) * (own + shared)
        return (ease < ndtri(np.array(self.success))[:, None]).astype(np.float64)


NOISE = (0.0, 0.0, 0.0)
ONE_OF_THREE = (0.0, 1.0, 0.0)
WEAKER = (0.0, 0.6, 0.0)
LOGISTIC = Search("logistic", penalties=(1.0, 10.0, 100.0, 1000.0))
MEANS = Search("mean_difference")
RIDGE = Search("ridge", penalties=(1.0, 10.0, 100.0, 1000.0))
PAIR = (1.0, -1.0)

SCENARIOS: tuple[Scenario, ...] = (
    ProbeScenario(
        "a logistic probe of noise beats chance (3 layers × 4 penalties, n = 100, d = 16)",
        LOGISTIC,
        (NOISE,),
        repeats=400,
    ),
    ProbeScenario(
        "a mean difference of noise beats chance (8 layers, n = 100, d = 256)",
        MEANS,
        ((0.0,) * 8,),
        d=256,
    ),
    ProbeScenario(
        "the same in 40 groups of 4 alike rows (3 layers, d = 64)",
        MEANS,
        (NOISE,),
        n=160,
        d=64,
        group_of=4,
        alike=0.5,
    ),
    ProbeScenario(
        "a logistic probe of a planted signal beats exactly its own true AUROC "
        "(3 layers × 4 penalties, n = 100)",
        LOGISTIC,
        (ONE_OF_THREE,),
        repeats=400,
    ),
    ProbeScenario(
        "a ridge probe of a planted number beats exactly its own true R² "
        "(3 layers × 4 penalties, n = 100)",
        RIDGE,
        ((0.0, 0.7, 0.0),),
    ),
    ProbeScenario(
        "one search beats another, both of noise (3 layers each, same rows, d = 64)",
        MEANS,
        (NOISE, NOISE),
        weights=PAIR,
        d=64,
    ),
    ProbeScenario(
        "one search beats another of equal planted strength (3 layers each, same rows)",
        MEANS,
        (ONE_OF_THREE, ONE_OF_THREE),
        weights=PAIR,
    ),
    ProbeScenario(
        "a stronger search beats a weaker one by exactly their difference (same rows)",
        MEANS,
        (ONE_OF_THREE, WEAKER),
        weights=PAIR,
    ),
    ProbeScenario(
        "a weaker search is as good as a stronger one within exactly their difference (same rows)",
        MEANS,
        (WEAKER, ONE_OF_THREE),
        kinds=("non_inferiority", "equivalence"),
        weights=PAIR,
        n=300,
    ),
    ProbeScenario(
        "a stronger search beats a weaker one by exactly their difference (other rows)",
        MEANS,
        (ONE_OF_THREE, WEAKER),
        weights=PAIR,
        apart=True,
    ),
    ProbeScenario(
        "the AUROC rises over four layers by exactly the planted slope",
        MEANS,
        ((0.4, 0.7, 1.0, 1.3),),
        kinds=("trend",),
        weights=(-0.9, -0.3, 0.3, 0.9),
    ),
    ProbeScenario(
        "one search beats another of equal strength in 60 groups of 4 alike rows",
        MEANS,
        (ONE_OF_THREE, ONE_OF_THREE),
        weights=PAIR,
        n=240,
        group_of=4,
        alike=0.5,
    ),
    ProbeScenario(
        "one search beats another of equal strength, each with 1 good layer among 24 that choice "
        "often misses (n = 200, d = 64)",
        MEANS,
        ((0.0,) * 23 + (1.0,), (0.0,) * 23 + (1.0,)),
        weights=PAIR,
        n=200,
        d=64,
        repeats=400,
    ),
    CoefficientScenario(
        "the best of 8 coefficients beats no steering; none does anything (60 prompts)",
        (0.4,) * 9,
    ),
    CoefficientScenario(
        "the best of 5 coefficients beats no steering by exactly its effect (60 prompts)",
        (0.4, 0.45, 0.5, 0.6, 0.5, 0.3),
    ),
)
