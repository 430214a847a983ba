"""A Bradley-Terry probe over many items and comparisons, nested folds and controls included."""

import math
from time import perf_counter

import numpy as np
import torch

from bench.table import Line

ITEMS, COMPARISONS, WIDTH, FOLDS, REPETITIONS = 3_000, 50_000, 4_608, 5, 6
PENALTIES = (10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
WANTED = 30.0  # seconds


def bradley_terry(
    rounds: int, n_items: int = ITEMS, n_comparisons: int = COMPARISONS, width: int = WIDTH
) -> list[Line]:
    """One layer: every outer and inner fold, all penalties, the labels and five shuffles."""
    from sonde.probes.bradley_terry_solver import bradley_terry_solver
    from sonde.probes.threads import threads_for

    problem, compared, utility = _task(n_items, n_comparisons, width)
    prepare = bradley_terry_solver(compared.pairs)
    seconds: list[float] = []
    for _ in range(rounds):
        began = perf_counter()
        with threads_for(n_items):
            solver = prepare(problem)
            for one in range(FOLDS):
                for other in range(one + 1):
                    said = solver.held_out((one, other) if other < one else (one,), PENALTIES)
        seconds.append(perf_counter() - began)
        print(f"  {seconds[-1]:.1f} s", flush=True)
    held = (problem.folds == FOLDS - 1).numpy()
    found = said[0, PENALTIES.index(1e3), :, 0, 0].numpy()
    agrees = float(np.corrcoef(found, utility[held])[0, 1])
    took = float(np.median(seconds))
    what = f"{n_items:,} items, {n_comparisons:,} comparisons, d {width:,}"
    fits = f"{len(PENALTIES)} penalties, {FOLDS} folds nested, {REPETITIONS - 1} shuffles"
    return [
        Line(f"{what}: {fits}", f"{took:.1f} s", f"below {WANTED:.0f} s", took < WANTED),
        Line(f"{what}: planted utility of held-out items", f"r {agrees:.3f}"),
        *_beside_a_matrix(problem, compared),
    ]


def _task(n_items: int, n_comparisons: int, width: int):
    """Activations with a power-law spectrum, and noisy choices by a planted utility."""
    from sonde.probes.comparison_lines import Compared
    from sonde.probes.problem import Problem

    rng = np.random.default_rng(0)
    rank = min(n_items, width)
    falling = np.arange(1, rank + 1) ** -0.7
    x = (rng.normal(size=(n_items, rank)) * falling) @ rng.normal(size=(rank, width))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    utility = z @ rng.normal(size=width)
    utility *= 1.5 / utility.std()
    first = rng.integers(0, n_items, n_comparisons)
    second = (first + rng.integers(1, n_items, n_comparisons)) % n_items
    chance = 1 / (1 + np.exp(utility[second] - utility[first]))
    won = (rng.random(n_comparisons) < chance).astype(float)
    folds = rng.permutation(n_items) % FOLDS
    item = np.repeat(np.arange(n_items, dtype=float)[:, None], REPETITIONS, axis=1)
    for fold in range(FOLDS):
        rows = np.flatnonzero(folds == fold)
        for repetition in range(1, REPETITIONS):
            item[rows, repetition] = rng.permutation(rows)
    problem = Problem.plain(
        torch.from_numpy(x)[None], torch.from_numpy(item), torch.from_numpy(folds)
    )
    return problem, Compared(first, second, won, np.ones(n_comparisons)), utility


def _beside_a_matrix(problem, compared) -> list[Line]:
    """Fit one penalty beside scikit-learn on a matrix of differences, on fewer items.

    The whole matrix of 50,000 by 4,608 takes 1.8 GB; a fifth of the items is enough to compare.
    """
    few = max(20, problem.x.shape[1] // 5)
    both = (compared.first < few) & (compared.second < few)
    first, second, won = compared.first[both], compared.second[both], compared.outcome[both]
    return beside_a_matrix(problem.x[0, :few], first, second, won)


def beside_a_matrix(
    x: torch.Tensor, first: np.ndarray, second: np.ndarray, won: np.ndarray
) -> list[Line]:
    """Fit ``x [item, d_model]`` to comparisons and scikit-learn to their differences."""
    from sklearn.linear_model import LogisticRegression

    from sonde.probes.bradley_terry_solver import bradley_terry_solver
    from sonde.probes.pair_table import PairTable
    from sonde.probes.problem import Problem

    penalty = 1e3
    z = ((x - x.mean(dim=0)) / x.std(dim=0, correction=0)).numpy()
    differences = z[first] - z[second]
    began = perf_counter()
    peer = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-8, max_iter=10_000)
    peer.fit(differences, won)
    theirs = perf_counter() - began
    alone = Problem.plain(x[None], torch.arange(len(x), dtype=torch.float64))
    began = perf_counter()
    (reader,) = bradley_terry_solver(PairTable.of(first, second, won))(alone).final(
        torch.tensor([penalty], dtype=torch.float64)
    )
    ours = perf_counter() - began
    weight = (reader.weight[0] * reader.scale).numpy()
    above = _objective(weight, differences, won, penalty) - _objective(
        peer.coef_[0], differences, won, penalty
    )
    what = f"{len(x):,} items, {len(won):,} comparisons, one penalty, exactly"
    return [
        Line(f"{what}: against scikit-learn on differences", f"{theirs / ours:.1f}×"),
        Line(f"{what}: objective above scikit-learn's", f"{above:.1e}", "at most 0", above <= 1e-9),
    ]


def _objective(weight: np.ndarray, x: np.ndarray, won: np.ndarray, penalty: float) -> float:
    f = x @ weight
    return math.fsum(np.logaddexp(0, f) - won * f) + penalty / 2 * float(weight @ weight)
