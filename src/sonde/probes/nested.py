"""Nested cross-validation: what is chosen by some folds is scored on another.

The inner folds of an outer fold are the other outer folds. A fit without folds j and k serves as
inner fit of both, so K folds need K (K - 1) / 2 + K fits instead of K (K - 1) + K, and the sums of
each fold serve all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int

from sonde.probes.lines import Scoring
from sonde.probes.solver import Predictor
from sonde.stats.metrics import Metric

TIE = 1e-9  # scores this close are equal: a choice must not hang on rounding


@dataclass(frozen=True, slots=True)
class Nested:
    """The outcome for a batch of layers; the repetitions are the labels and their shuffles.

    ``out_of_fold`` predicts each line by a fit without its fold, at the penalty that the other
    folds chose among themselves (``chosen``, with the score ``inner_best`` they gave it).
    ``by_penalty`` scores each penalty over all folds, and ``final`` is the best of it, the penalty
    of the probe that is fitted on every row. ``at_edge`` is True where that penalty is the lowest
    or highest of several and strictly better than the next.

    For metrics of two classes ``out_of_fold`` is divided by ``scale``, the root mean square of what
    the fold's fit said of its held-out lines. A weak penalty makes long weights, and folds may
    choose different ones (or layers): ranked together, their logits as they are would mix scales,
    and the pooled AUROC fall short of each fold's own.
    """

    out_of_fold: Float[np.ndarray, "layer line repetition"]
    scale: Float[np.ndarray, "layer fold repetition"]
    chosen: Int[np.ndarray, "layer fold repetition"]
    inner_best: Float[np.ndarray, "layer fold repetition"]
    by_penalty: Float[np.ndarray, "layer penalty repetition"]
    final: Int[np.ndarray, "layer repetition"]
    at_edge: np.ndarray  # bool [layer]


def nested(
    solver: Predictor, scoring: Scoring, penalties: Sequence[float], metric: Metric
) -> Nested:
    """Run every outer and inner fit of a batch of layers, and choose."""
    fold_of, truth = scoring.fold, scoring.truth
    outer, inner = _predictions(solver, scoring, penalties)
    inner_scores = np.stack(
        [_scores(inner[fold][:, :, fold_of != fold], truth[fold_of != fold], metric)
         for fold in range(scoring.n_folds)],
        axis=1,
    )  # fmt: skip
    by_penalty = _scores(outer, truth, metric)
    chosen = strongest_best(inner_scores, axis=2)
    final = strongest_best(by_penalty, axis=1)
    out_of_fold = np.empty((len(outer), *truth.shape))
    scale = np.ones((len(outer), scoring.n_folds, truth.shape[1]))
    for fold in range(scoring.n_folds):
        here = fold_of == fold
        pick = chosen[:, fold][:, None, None, :]
        said = np.take_along_axis(outer[:, :, here], pick, axis=1)[:, 0]
        if metric.two_classes and here.any():
            size = np.sqrt(np.square(said).mean(axis=1))
            scale[:, fold] = np.where(size > 0, size, 1.0)
        out_of_fold[:, here] = said / scale[:, fold, None]
    inner_best = np.take_along_axis(inner_scores, chosen[:, :, None], axis=2)[:, :, 0]
    at_edge = _at_edge(by_penalty, final)
    return Nested(out_of_fold, scale, chosen, inner_best, by_penalty, final, at_edge)


def _predictions(
    solver: Predictor, scoring: Scoring, penalties: Sequence[float]
) -> tuple[Float[np.ndarray, "layer penalty line repetition"], list[np.ndarray]]:
    """Return outer predictions, and for each outer fold those of its inner fits (NaN in itself)."""
    n_folds, fold_of = scoring.n_folds, scoring.fold
    outer: np.ndarray | None = None
    inner: list[np.ndarray] = []
    for fold in range(n_folds):
        held = _said(solver, scoring, (fold,), penalties)
        if outer is None:
            outer = np.full_like(held, np.nan)
            inner = [np.full_like(held, np.nan) for _ in range(n_folds)]
        outer[:, :, fold_of == fold] = held[:, :, fold_of == fold]
    for one, other in combinations(range(n_folds), 2):
        held = _said(solver, scoring, (one, other), penalties)
        inner[one][:, :, fold_of == other] = held[:, :, fold_of == other]
        inner[other][:, :, fold_of == one] = held[:, :, fold_of == one]
    assert outer is not None
    return outer, inner


def _said(
    solver: Predictor, scoring: Scoring, left_out: tuple[int, ...], penalties: Sequence[float]
) -> Float[np.ndarray, "layer penalty line repetition"]:
    """Return what is said of every line; NaN where its rows are not among those left out."""
    held = solver.held_out(left_out, penalties).cpu().numpy()
    inside = np.isin(scoring.folds, left_out)
    every = np.full((*held.shape[:2], len(inside), *held.shape[3:]), np.nan)
    every[:, :, inside] = held
    return scoring.lines.said(every)


def _scores(
    predicted: Float[np.ndarray, "layer penalty line repetition"],
    truth: Float[np.ndarray, "line repetition"],
    metric: Metric,
) -> Float[np.ndarray, "layer penalty repetition"]:
    columns = range(truth.shape[1])
    scores = [metric.value(truth[:, one], predicted[..., one]) for one in columns]
    return np.stack(scores, axis=-1)


def strongest_best(scores: np.ndarray, axis: int) -> np.ndarray:
    """Return the index of the best score; of equal ones the last, the strongest penalty's."""
    known = np.where(np.isnan(scores), -np.inf, scores)
    level = known >= known.max(axis=axis, keepdims=True) - TIE
    return scores.shape[axis] - 1 - np.flip(level, axis).argmax(axis=axis)


def _at_edge(
    by_penalty: Float[np.ndarray, "layer penalty repetition"],
    final: Int[np.ndarray, "layer repetition"],
) -> np.ndarray:
    scores, best = by_penalty[:, :, 0], final[:, 0]
    count = scores.shape[1]
    if count < 2:
        return np.zeros(len(scores), bool)
    layers = np.arange(len(scores))
    neighbour = np.where(best == 0, 1, count - 2)
    ahead = scores[layers, best] > scores[layers, neighbour] + TIE
    return ((best == 0) | (best == count - 1)) & ahead
