"""The sweep over hook points and positions: folds, controls, nested choice, final probes."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.activations.activations import Activations
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.probes.at_once import layers_at_once
from sonde.probes.job import Job
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.swept import CONSTANT, NOT_FINITE, FailedLayer, Swept
from sonde.probes.targets import Targets
from sonde.stats.folds import grouped_folds

LEAST_UNITS = 3  # of folds: the penalty is chosen by two, and scored on the third


def make_folds(targets: Targets, settings: AnyProbeSettings) -> Int[np.ndarray, " row"]:
    """Deal the units into folds, alike at every hook point and position.

    Raises:
        SondeError: there are fewer units than folds, or a class is in too few of them.
    """
    values = targets.values[:, 0]
    classes = values if targets.classes else None
    if (n_units := len(np.unique(targets.unit))) < LEAST_UNITS:
        raise SondeError(
            f"The {len(values)} labelled rows are of {n_units} group{'s' * (n_units != 1)}. A "
            f"group is never split, and folds need {LEAST_UNITS}.",
            fix="Give more groups, or rows without one: each is then a group of its own.",
        )
    folds = grouped_folds(targets.unit, settings.folds, classes=classes, seed=settings.seed)
    for value, name in enumerate(targets.classes):
        where = np.unique(folds[values == value])
        if len(where) < 3:
            units = len(np.unique(targets.unit[values == value]))
            unit = "row" if n_units == len(values) else "group"
            raise SondeError(
                f"The class {name!r} is in {units} {unit}{'s' * (units != 1)} and reaches only "
                f"{len(where)} of {settings.folds} folds, so some fits would see none of it.",
                fix=f"Give at least three {unit}s with each class.",
            )
    return folds


def sweep(
    acts: Activations,
    targets: Targets,
    folds: Int[np.ndarray, " row"],
    settings: AnyProbeSettings,
) -> tuple[list[Swept], list[FailedLayer]]:
    """Fit every hook point at every position; a place that fails is listed, not fatal."""
    done: list[Swept] = []
    failed: list[FailedLayer] = []
    for position in dict.fromkeys(targets.position.tolist()):
        job = Job.of(targets, np.flatnonzero(targets.position == position), folds, settings)
        for hooks, tensors in _batches(acts, targets, job, failed):
            swept, lost = _run(job, hooks, torch.stack(tensors))
            done += swept
            failed += lost
    return done, failed


def _run(
    job: Job, hooks: Sequence[HookPoint], x: Float[Tensor, "layer row d"]
) -> tuple[list[Swept], list[FailedLayer]]:
    """Fit hook points together; where that fails, one by one, to list those that do alone."""
    try:
        return _finite(job.run(hooks, x))
    except SondeError as error:
        if len(hooks) == 1:
            return [], [FailedLayer(hooks[0], job.position, str(error).rstrip("."))]
    alone = [_run(job, [hook], rows[None]) for hook, rows in zip(hooks, x, strict=True)]
    return [one for done, _ in alone for one in done], [one for _, lost in alone for one in lost]


def _finite(swept: Sequence[Swept]) -> tuple[list[Swept], list[FailedLayer]]:
    """Keep the places whose fits answered every line: a score of NaN cannot be compared."""
    done: list[Swept] = []
    failed: list[FailedLayer] = []
    for one in swept:
        said = one.columns.out_of_fold[:, 0]
        lost = int((~np.isfinite(said)).sum())
        if lost:
            reason = f"its fits answered NaN or Inf to {lost} of {len(said)}; rescale its rows"
            failed.append(FailedLayer(one.place.hook, one.place.position, reason))
        else:
            done.append(one)
    return done, failed


def _batches(
    acts: Activations, targets: Targets, job: Job, failed: list[FailedLayer]
) -> Iterator[tuple[list[HookPoint], list[Tensor]]]:
    """Yield hook points of one width together with their rows in float64, few enough for memory."""
    hooks: list[HookPoint] = []
    tensors: list[Tensor] = []
    index = torch.from_numpy(targets.index[job.rows])
    for hook in acts.hooks:
        rows = acts.tensor(hook)[index].to(torch.float64)
        rows = rows.flatten(1) if rows.ndim > 2 else rows  # heads follow one another
        fault = _fault(rows, targets.example[job.rows]) or job.fault
        if fault:
            failed.append(FailedLayer(hook, job.position, fault))
            continue
        full = len(tensors) >= layers_at_once(len(rows), rows.shape[1], job.settings.folds)
        if tensors and (full or rows.shape != tensors[0].shape):
            yield hooks, tensors
            hooks, tensors = [], []
        hooks.append(hook)
        tensors.append(rows)
    if tensors:
        yield hooks, tensors


def _fault(rows: Tensor, example: np.ndarray) -> str:
    if rows.ndim != 2:
        return f"its activations have shape {list(rows.shape)}; a probe reads [row, d_model]"
    bad = ~rows.isfinite().all(dim=1).numpy()
    if bad.any():
        names = ", ".join(map(repr, example[bad][:3].tolist()))
        return (
            f"{int(bad.sum())} of {len(rows)} rows hold NaN or Inf, such as {names}; {NOT_FINITE}"
        )
    if not bool((rows != rows[0]).any()):
        return CONSTANT
    return ""
