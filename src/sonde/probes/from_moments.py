"""Ridge from the moments of a stream: nothing of the activations is kept, the answer is the same.

Per fold the count, mean and scatter of the activations and their products with the targets say
everything: fits without a fold are fits on the merged moments of the others, and the residuals of
the fold are a quadratic form of its own,

    sum (y - p)^2 = y'y - 2 w.x'y + w'x'x w + n (mean y - mean p)^2,

the products about the fold's means. A layer of d coordinates takes folds x d^2 x 8 bytes, so layers
take turns where there is not room for all, and each turn runs the model again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from sonde.activations.activations import ActivationsInMemory
from sonde.activations.running_moments import RunningMoments
from sonde.activations.streaming import ActivationStream
from sonde.core.hooks import HookPoint
from sonde.probes.duplicates import without_duplicates
from sonde.probes.fold_moments import FoldMoments
from sonde.probes.penalty_scores import FoldSums, PenaltyScores, jobs, plain_settings, put_together
from sonde.probes.reader import Linear, Reader, folded
from sonde.probes.settings import RidgeSettings
from sonde.probes.sweep import Job, make_folds
from sonde.probes.swept import FailedLayer, Place
from sonde.probes.targets import Labels, Targets, number_targets

MEMORY = 4 << 30  # bytes of moments that are held at once
ROWS_AT_ONCE = 1024  # rows that wait before they are added; a product of fewer costs as much


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
    table = stream.job.prepared.table(np.arange(stream.n_rows))
    known = ActivationsInMemory({}, table, stream.origin, stream.skipped)
    targets = without_duplicates(known, number_targets(known, y), chosen)
    folds = make_folds(targets, chosen)
    plan = [Rows.of(job, targets.index, stream.n_rows) for job in jobs(targets, folds, chosen)]
    failed = [
        FailedLayer(hook, one.job.position, one.job.fault)
        for one in plan
        if one.job.fault
        for hook in stream.hooks
    ]
    usable = [one for one in plan if not one.job.fault]
    turns = parts(stream, chosen.folds * len(usable), memory)
    found: dict[Place, tuple[FoldSums, Reader]] = {}
    notes = list(targets.notes)
    for hooks in turns if usable else ():
        reading = stream.only(hooks)
        moments = _streamed(reading, usable)
        for place in list(moments):
            running = moments.pop(place)
            if all(fold.count for fold in running):
                found[place] = _fitted(FoldMoments.of_running(running), chosen.penalties)
            else:
                reason = "one of the folds has no finite activations"
                failed.append(FailedLayer(place.hook, place.position, reason))
        notes += _lost(reading, targets, hooks)
    if len(turns) > 1:
        notes.append(f"The model was run {len(turns)} times, once for each part of the layers.")
    return put_together(found, failed, replace(targets, notes=tuple(notes)), chosen, stream.origin)


def parts(stream: ActivationStream, matrices: int, memory: int) -> list[tuple[HookPoint, ...]]:
    """Divide the hook points so that the moments of each part fit in ``memory``."""
    each = max(1, matrices) * stream.job.model.info.d_model**2 * 8
    few = max(1, memory // each)
    hooks = stream.hooks
    return [hooks[start : start + few] for start in range(0, len(hooks), few)]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The labelled rows of a position among all rows of a stream: ``at`` is -1 for others."""

    job: Job
    at: Int[np.ndarray, " stream_row"]

    @classmethod
    def of(cls, job: Job, index: Int[np.ndarray, " row"], n_rows: int) -> "Rows":
        """Number the rows of the job in the order of its labels."""
        at = np.full(n_rows, -1)
        at[index[job.rows]] = np.arange(len(job.rows))
        return cls(job, at)


@dataclass(slots=True, eq=False)
class _Waiting:
    """The moments of each fold of a place, and rows that wait until there are enough of them."""

    job: Job
    folds: list[RunningMoments] = field(default_factory=list[RunningMoments])
    x: list[Tensor] = field(default_factory=list[Tensor])
    rows: list[np.ndarray] = field(default_factory=list[np.ndarray])

    def put(self, x: Float[Tensor, "row d_model"], rows: Int[np.ndarray, " row"]) -> None:
        """Add some of the job's rows."""
        self.x.append(x)
        self.rows.append(rows)
        if sum(map(len, self.rows)) >= ROWS_AT_ONCE:
            self.settle()

    def settle(self) -> None:
        """Add what waits to the moments."""
        if not self.rows:
            return
        x, rows = torch.cat(self.x), np.concatenate(self.rows)
        self.x, self.rows = [], []
        y = torch.from_numpy(self.job.y[rows, 0])
        folds = self.job.folds[rows]
        if not self.folds:
            number, targets = int(self.job.folds.max()) + 1, y.shape[1]
            self.folds = [RunningMoments(x.shape[1], targets, x.device) for _ in range(number)]
        for fold, running in enumerate(self.folds):
            here = torch.from_numpy(folds == fold)
            running.add(x[here.to(x.device)], y[here])


def _streamed(stream: ActivationStream, plan: Sequence[Rows]) -> dict[Place, list[RunningMoments]]:
    """Run the stream once; return the moments of each fold at each place."""
    places = [(hook, rows) for hook in stream.hooks for rows in plan]
    found = {Place(hook, rows.job.position): _Waiting(rows.job) for hook, rows in places}
    for batch in stream:
        for rows in plan:
            at = rows.at[batch.numbers]
            here = np.flatnonzero(at >= 0)
            if not len(here):
                continue
            for hook in stream.hooks:
                x = batch.tensors[hook]
                chosen = x[torch.from_numpy(here).to(x.device)].flatten(1)
                found[Place(hook, rows.job.position)].put(chosen, at[here])
    for waiting in found.values():
        waiting.settle()
    return {place: waiting.folds for place, waiting in found.items()}


def _lost(stream: ActivationStream, targets: Targets, hooks: Sequence[HookPoint]) -> list[str]:
    """Say how many labelled examples gave no activations in a run that has ended."""
    lost = {one.example for one in stream.skipped} & set(targets.example.tolist())
    if not lost:
        return []
    where = f"{hooks[0]} to {hooks[-1]}" if len(hooks) > 1 else str(hooks[0])
    return [
        f"{len(lost):,} labelled examples, such as {min(lost)!r}, gave no activations at {where} "
        "and were left out."
    ]


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
