"""Nested cross-validation: what is chosen by some folds is scored on another.

The inner folds of an outer fold are the other outer folds. A fit without folds j and k serves as
inner fit of both, so K folds need K (K - 1) / 2 + K fits instead of K (K - 1) + K, and the sums of
each fold serve all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float, Int

from sonde.probes.solver import Predictor
from sonde.stats.metrics import Metric

TIE = 1e-9  # scores this close are equal: a choice must not hang on rounding


@dataclass(frozen=True, slots=True)
class Nested:
    """The outcome for a batch of layers; the target axis holds the labels and their shuffles.

    ``out_of_fold`` predicts each row by a fit without its fold, at the penalty that the other
    folds chose among themselves (``chosen``, with the score ``inner_best`` they gave it).
    ``by_penalty`` scores each penalty over all folds, and ``final`` is the best of it, the penalty
    of the probe that is fitted on every row. ``at_edge`` is True where that penalty is the lowest
    or highest of several and strictly better than the next.
    """

    out_of_fold: Float[np.ndarray, "layer row target"]
    chosen: Int[np.ndarray, "layer fold target"]
    inner_best: Float[np.ndarray, "layer fold target"]
    by_penalty: Float[np.ndarray, "layer penalty target"]
    final: Int[np.ndarray, "layer target"]
    at_edge: np.ndarray  # bool [layer]


def nested(
    solver: Predictor,
    folds: Int[np.ndarray, " row"],
    targets: Float[np.ndarray, "row target"],
    penalties: Sequence[float],
    metric: Metric,
) -> Nested:
    """Run every outer and inner fit of a batch of layers, and choose."""
    n_folds = int(folds.max()) + 1
    outer, inner = _predictions(solver, folds, penalties)
    inner_scores = np.stack(
        [_scores(inner[fold][:, :, folds != fold], targets[folds != fold], metric)
         for fold in range(n_folds)],
        axis=1,
    )  # fmt: skip
    by_penalty = _scores(outer, targets, metric)
    chosen = strongest_best(inner_scores, axis=2)
    final = strongest_best(by_penalty, axis=1)
    out_of_fold = np.empty((len(outer), *targets.shape))
    for fold in range(n_folds):
        here = folds == fold
        pick = chosen[:, fold][:, None, None, :]
        out_of_fold[:, here] = np.take_along_axis(outer[:, :, here], pick, axis=1)[:, 0]
    inner_best = np.take_along_axis(inner_scores, chosen[:, :, None], axis=2)[:, :, 0]
    return Nested(out_of_fold, chosen, inner_best, by_penalty, final, _at_edge(by_penalty, final))


def _predictions(
    solver: Predictor, folds: Int[np.ndarray, " row"], penalties: Sequence[float]
) -> tuple[Float[np.ndarray, "layer penalty row target"], list[np.ndarray]]:
    """Return outer predictions, and for each outer fold those of its inner fits (NaN in itself)."""
    n_folds = int(folds.max()) + 1
    outer: np.ndarray | None = None
    inner: list[np.ndarray] = []
    for fold in range(n_folds):
        held = _numpy(solver.held_out((fold,), penalties))
        if outer is None:
            shape = (*held.shape[:2], len(folds), held.shape[3])
            outer = np.full(shape, np.nan)
            inner = [np.full(shape, np.nan) for _ in range(n_folds)]
        outer[:, :, folds == fold] = held
    for one, other in combinations(range(n_folds), 2):
        held = _numpy(solver.held_out((one, other), penalties))
        fold_of_held = folds[(folds == one) | (folds == other)]
        inner[one][:, :, folds == other] = held[:, :, fold_of_held == other]
        inner[other][:, :, folds == one] = held[:, :, fold_of_held == one]
    assert outer is not None
    return outer, inner


def _scores(
    predicted: Float[np.ndarray, "layer penalty row target"],
    targets: Float[np.ndarray, "row target"],
    metric: Metric,
) -> Float[np.ndarray, "layer penalty target"]:
    columns = range(targets.shape[1])
    scores = [metric.value(targets[:, one], predicted[..., one]) for one in columns]
    return np.stack(scores, axis=-1)


def strongest_best(scores: np.ndarray, axis: int) -> np.ndarray:
    """Return the index of the best score; of equal ones the last, the strongest penalty's."""
    known = np.where(np.isnan(scores), -np.inf, scores)
    level = known >= known.max(axis=axis, keepdims=True) - TIE
    return scores.shape[axis] - 1 - np.flip(level, axis).argmax(axis=axis)


def _at_edge(
    by_penalty: Float[np.ndarray, "layer penalty target"], final: Int[np.ndarray, "layer target"]
) -> np.ndarray:
    scores, best = by_penalty[:, :, 0], final[:, 0]
    count = scores.shape[1]
    if count < 2:
        return np.zeros(len(scores), bool)
    layers = np.arange(len(scores))
    neighbour = np.where(best == 0, 1, count - 2)
    ahead = scores[layers, best] > scores[layers, neighbour] + TIE
    return ((best == 0) | (best == count - 1)) & ahead


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
