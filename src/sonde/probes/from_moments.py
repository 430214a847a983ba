"""Ridge from the moments of a stream: nothing of the activations is kept, the answer is the same.

Per fold the count, mean and scatter of the activations and their products with the targets say
everything: fits without a fold are fits on the merged moments of the others, and the residuals of
the fold are a quadratic form of its own,

    sum (y - p)^2 = y'y - 2 w.x'y + w'x'x w + n (mean y - mean p)^2,

the products about the fold's means.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.activations.streaming import ActivationStream
from sonde.probes.duplicates import without_duplicates
from sonde.probes.fold_moments import FoldMoments
from sonde.probes.penalty_scores import FoldSums, PenaltyScores, jobs, plain_settings, put_together
from sonde.probes.reader import Linear, Reader, folded
from sonde.probes.settings import RidgeSettings
from sonde.probes.streamed_moments import (
    MEMORY,
    LabelledRows,
    fold_moments_of,
    known_rows,
    lost_rows,
    parts,
)
from sonde.probes.sweep import make_folds
from sonde.probes.swept import FailedLayer, Place
from sonde.probes.targets import Labels, number_targets


def ridge_from_stream(
    stream: ActivationStream,
    y: Labels,
    settings: RidgeSettings | None = None,
    *,
    memory: int = MEMORY,
    **given: Any,
) -> PenaltyScores:
    """Fit ridge at every hook point and penalty of a stream, without storing activations.

    The answer is that of ``ridge_scores`` on the stored activations, to rounding. ``memory`` is
    how many bytes the moments may take; where the hook points need more, the stream is run once
    for each part of them, which a warning says.

    Raises:
        SondeError: the labels do not join or do not vary, there are too few groups, or no layer
            could be fitted.
    """
    chosen = plain_settings(settings, given)
    known = known_rows(stream)
    targets = without_duplicates(known, number_targets(known, y), chosen)
    folds = make_folds(targets, chosen)
    plan: list[LabelledRows] = []
    failed: list[FailedLayer] = []
    for job in jobs(targets, folds, chosen):
        if job.fault:
            failed += [FailedLayer(hook, job.position, job.fault) for hook in stream.hooks]
        else:
            plan.append(LabelledRows.of(targets, job.rows, folds, stream.n_rows))
    turns = parts(stream, chosen.folds * len(plan), memory) if plan else []
    found: dict[Place, tuple[FoldSums, Reader]] = {}
    notes = list(targets.notes)
    for hooks in turns:
        reading = stream.only(hooks)
        moments = fold_moments_of(reading, plan)
        for place in list(moments):
            running = moments.pop(place)
            if all(fold.count for fold in running):
                found[place] = _fitted(FoldMoments.of_running(running), chosen.penalties)
            else:
                reason = "one of the folds has no finite activations"
                failed.append(FailedLayer(place.hook, place.position, reason))
        notes += lost_rows(reading, targets, hooks)
    if len(turns) > 1:
        notes.append(f"The model was run {len(turns)} times, once for each part of the layers.")
    return put_together(found, failed, replace(targets, notes=tuple(notes)), chosen, stream.origin)


def _fitted(moments: FoldMoments, penalties: Sequence[float]) -> tuple[FoldSums, Reader]:
    """Fit without each fold in turn and take its residuals; then fit all with the best penalty."""
    numbers = range(len(moments.scatter))
    residual = torch.stack(
        [_residual(moments, fold, penalties) for fold in numbers], dim=1
    )  # [penalty, fold, target]
    n = moments.spread.n
    y_mean = n @ moments.y_mean / n.sum()
    apart = moments.y_square.sum(dim=0) + n @ (moments.y_mean - y_mean).square()
    sums = FoldSums(*(one.cpu().numpy() for one in (residual, moments.y_square, apart)))
    fit = moments.over(numbers)
    weight = fit.weights([penalties[sums.best]])[0]
    (reader,) = folded(weight[None], fit.centre[None], fit.mean[None], fit.scale[None])
    return sums, Linear.of({name: one.cpu() for name, one in reader.tensors().items()})


def _residual(
    moments: FoldMoments, fold: int, penalties: Sequence[float]
) -> Float64[Tensor, "penalty target"]:
    """Return the sum of squared residuals of a fold, fitted without it."""
    fit = moments.over([other for other in range(len(moments.scatter)) if other != fold])
    weight = fit.weights(penalties) / fit.scale
    image = (weight.flatten(0, 1) @ moments.scatter[fold]).view_as(weight)
    scattered = ((image - 2 * moments.cross[fold]) * weight).sum(dim=-1) + moments.y_square[fold]
    shift = moments.y_mean[fold] - fit.centre - weight @ (moments.spread.mean[fold] - fit.mean)
    return scattered + moments.spread.n[fold] * shift.square()
