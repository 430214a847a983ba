"""Known answers.

A direction is planted in random activations with a strength whose best possible score has a closed
form: AUROC Phi(s / sqrt 2) for classes s standard deviations apart, R² s² / (1 + s²) for a number.
The whole search (layers, penalties, folds) must find that score, that layer and that direction.

A leak is planted as well: the same item on both sides of a split, with nothing else to find. The
honest score is chance; what folds that ignore the items report is shown beside it, and sonde's
checks must name every leaking item.
"""

from collections.abc import Iterator

import numpy as np

from bench.trust import planted
from bench.trust.figure import Figure
from sonde.probes import logistic, mean_difference, ridge
from sonde.stats import auroc, duplicates, grouped_folds, pair_folds, shared_items

QUICK = {"resamples": 1, "shuffles": 0, "directions": 0, "baseline": False}
STRENGTHS = (0.5, 1.0, 2.0)
CLOSE = 0.01  # of a score; the loss by fitting 16 weights from 4,000 rows is about half of it


def measure(repeats: int = 10, n: int = 4000) -> list[Figure]:
    """Plant, fit and compare."""
    return [
        *_classes(repeats, n),
        *_numbers(repeats, n),
        *_leak_of_items(repeats),
        *_leak_of_pairs(repeats),
        *_leak_of_texts(),
    ]


def _classes(repeats: int, n: int) -> Iterator[Figure]:
    """A label along one direction of the middle layer of three."""
    from scipy.special import ndtr

    for strength in STRENGTHS:
        found, right, aligned = [], [], []
        for seed in range(repeats):
            rng = np.random.default_rng([seed, 5])
            data = planted.classes(rng, (0.0, strength, 0.0), n, 16)
            penalties = (10.0, 1000.0)
            results = logistic(data.acts, data.labels, penalties=penalties, seed=seed, **QUICK)
            found.append(results.selected.value)
            right.append(all(hook.layer == 1 for hook in results.selected_hooks))
            aligned.append(float(results.best.direction.numpy() @ data.means[1]) / strength)
        yield _strength(
            f"AUROC of classes {strength:g} sd apart", float(ndtr(strength / np.sqrt(2))), found
        )
        yield _place(f"layer and direction, classes {strength:g} sd apart", right, aligned)


def _numbers(repeats: int, n: int) -> Iterator[Figure]:
    for strength in STRENGTHS:
        found, right, aligned = [], [], []
        for seed in range(repeats):
            data = planted.numbers(np.random.default_rng([seed, 6]), strength, n, 16)
            results = ridge(data.acts, data.labels, penalties=(1.0, 100.0), seed=seed, **QUICK)
            found.append(results.selected.value)
            right.append(all(hook.layer == 1 for hook in results.selected_hooks))
            aligned.append(float(results.best.direction.numpy() @ data.means[1]) / strength)
        best = strength**2 / (1 + strength**2)
        yield _strength(f"R² of a number of strength {strength:g}", best, found)
        yield _place(f"layer and direction, number of strength {strength:g}", right, aligned)


def _strength(what: str, closed: float, found: list[float]) -> Figure:
    mean, error = np.mean(found), np.std(found) / np.sqrt(len(found))
    return Figure(
        "A planted direction",
        what,
        f"{closed:.3f} within {CLOSE}",
        f"{mean:.3f} ± {error:.3f}",
        bool(abs(mean - closed) <= CLOSE),
    )


def _place(what: str, right: list[bool], aligned: list[float]) -> Figure:
    return Figure(
        "A planted direction",
        what,
        "the planted layer in every fold, cosine at least 0.9",
        f"{sum(right)} of {len(right)} data sets, cosine {min(aligned):.3f} or more",
        all(right) and min(aligned) >= 0.9,
    )


def _leak_of_items(repeats: int) -> Iterator[Figure]:
    """Eight rows of each of 100 items, whose label says nothing but which item it is."""
    honest, inflated, named = [], [], []
    for seed in range(repeats):
        rng = np.random.default_rng([seed, 7])
        item = np.repeat(np.arange(100), 8)
        label = rng.permutation(np.arange(100) % 2)[item]
        rows = 3 * rng.normal(size=(100, 64))[item] + rng.normal(size=(800, 64))
        kept = mean_difference(planted.wrap([rows], item), label, seed=seed, **QUICK)
        split = mean_difference(planted.wrap([rows], np.arange(800)), label, seed=seed, **QUICK)
        honest.append(kept.selected.value)
        inflated.append(split.selected.value)
        folds = grouped_folds(np.arange(800), 5, seed=seed)
        leaking = {one for one in range(100) if len(np.unique(folds[item == one])) > 1}
        named.append({int(leak.what) for leak in shared_items(folds, item).found} == leaking)
        named.append(not shared_items(grouped_folds(item, 5, seed=seed), item))
    yield _inflated("8 rows of each of 100 items, labels at random", honest, inflated)
    yield _named("items with rows in several folds are named, and grouped folds have none", named)


def _leak_of_pairs(repeats: int) -> Iterator[Figure]:
    """Comparisons of 60 items by a merit that their activations do not hold."""
    honest, inflated, named = [], [], []
    for seed in range(repeats):
        rng = np.random.default_rng([seed, 8])
        merit, x = rng.normal(size=60), rng.normal(size=(60, 64))
        first, second = rng.integers(0, 60, (2, 3000))
        first, second = first[first != second], second[first != second]
        won = merit[first] - merit[second] + rng.logistic(size=len(first)) > 0
        apart = x[first] - x[second]
        at_random = grouped_folds(np.arange(len(first)), 3, seed=seed)
        by_item = pair_folds(first, second, 3, seed=seed)
        sides = [(at_random != one, at_random == one) for one in range(3)]
        inflated.append(np.mean([_bradley_terry(apart, won, *side) for side in sides]))
        honest.append(np.mean([_bradley_terry(apart, won, *side) for side in by_item]))
        named.append(len(shared_items(at_random, first, second).found) == 60)
        named.append(not shared_items(by_item.fold, first, second))
    yield _inflated("comparisons of 60 items (Bradley-Terry on activations)", honest, inflated)
    yield _named("items of pairs in several folds are named, and folds of items have none", named)


def _bradley_terry(
    apart: np.ndarray, won: np.ndarray, train: np.ndarray, test: np.ndarray
) -> float:
    """Return the AUROC of ``P(first wins) = sigmoid(w . (x_first - x_second))`` on other pairs."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(fit_intercept=False).fit(apart[train], won[train])
    return float(auroc(won[test].astype(float), model.decision_function(apart[test])))


def _leak_of_texts() -> Iterator[Figure]:
    rng = np.random.default_rng(9)
    texts = [f"text {number} of the set" for number in range(500)]
    copied = rng.choice(500, 20, replace=False)
    copies = [texts[one].upper().replace(" ", "  ") for one in copied]
    found = duplicates([*texts, *copies], np.arange(520))
    exact = {leak.what for leak in found.found} == {texts[one] for one in copied}
    yield Figure(
        "A planted leak",
        "20 of 500 texts again under other ids, in capitals and with other spaces",
        "those 20 and no other",
        f"{len(found.found)} found",
        exact,
    )


def _inflated(what: str, honest: list[float], inflated: list[float]) -> Figure:
    mean, error = np.mean(honest), np.std(honest) / np.sqrt(len(honest))
    return Figure(
        "A planted leak",
        f"AUROC of {what}",
        "chance, 0.5, within 3 standard errors",
        f"{mean:.3f} ± {error:.3f}; with the leak {np.mean(inflated):.3f}",
        bool(abs(mean - 0.5) <= 3 * error and np.mean(inflated) > 0.6),
    )


def _named(what: str, named: list[bool]) -> Figure:
    found = f"{sum(named)} of {len(named)}"
    return Figure("A planted leak", what, f"{len(named)} of {len(named)} splits", found, all(named))
