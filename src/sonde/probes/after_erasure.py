"""Whether a new probe finds a concept after it has been erased."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.activations.activations import Activations
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.probes.control import Control
from sonde.probes.duplicates import without_duplicates
from sonde.probes.erased_solver import Concept, ErasedSolver, Fitted
from sonde.probes.erasure_results import ErasureCheck, Finding, LayerErasure
from sonde.probes.job import Job
from sonde.probes.kinds import KINDS
from sonde.probes.leace import Method, indicators
from sonde.probes.names import SHUFFLED
from sonde.probes.scored import mean_interval
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.solver import Prepare
from sonde.probes.sweep import make_folds
from sonde.probes.swept import NOT_FINITE, FailedLayer, Swept, why_all_failed
from sonde.probes.targets import Labels, Targets
from sonde.probes.threads import threads_for
from sonde.stats.effects import difference, interval_of
from sonde.stats.metrics import METRICS

# Without two of them there must be one for the eraser and two for the probe: a network keeps one
# apart to know when to stop.
LEAST_FOLDS = 5


def erasure_check(
    acts: Activations, y: Labels, settings: AnyProbeSettings, *, method: Method = "leace"
) -> ErasureCheck:
    """Fit new probes before and after erasing their labels, cross-fitted.

    In each fold the eraser and the probe are fitted on training rows and scored on erased rows that
    neither has seen; the penalty is chosen inside the training folds. ``settings`` are those of any
    kind of probe: a linear one asks whether the erasure generalises, an ``mlp`` also whether the
    concept is there otherwise. Classes, several classes and numbers are erased alike.

    Raises:
        SondeError: the labels do not join or are not what the kind fits, the settings have fewer
            than 5 folds or a kind without a concept to erase, or no layer could be checked.
    """
    if settings.says == "utility":
        raise SondeError(
            f"A {settings.kind} probe orders items; there is no label of theirs to erase.",
            fix="Check with the utilities as numbers, such as with a ridge probe.",
        )
    if settings.folds < LEAST_FOLDS:
        raise SondeError(
            f"An erasure is checked with at least {LEAST_FOLDS} folds; given: {settings.folds}.",
            fix="The training folds are shared out between eraser and probe: set folds to 5.",
        )
    settings = settings.model_copy(update={"directions": 0})
    targets = KINDS[settings.kind].targets(acts, y, settings, None)
    with threads_for(len(targets.index)):
        targets = without_duplicates(acts, targets, settings)
        layers, failed = _layers(acts, targets, settings, method)
    if not layers:
        raise SondeError(f"No layer could be checked. {why_all_failed(failed)}")
    return ErasureCheck(
        kind=settings.kind,
        metric=settings.metric,
        method=method,
        layers=tuple(layers),
        labels=targets.labels,
        n=len(np.unique(targets.unit)),
        n_rows=len(targets.index),
        settings=settings,
        failed=tuple(failed),
        notes=targets.notes,
    )


def _layers(
    acts: Activations, targets: Targets, settings: AnyProbeSettings, method: Method
) -> tuple[list[LayerErasure], list[FailedLayer]]:
    folds = make_folds(targets, settings)
    concept = _concept(targets, settings)
    done: list[LayerErasure] = []
    failed: list[FailedLayer] = []
    for position in dict.fromkeys(targets.position.tolist()):
        rows = np.flatnonzero(targets.position == position)
        job = Job.of(targets, rows, folds, settings)
        jobs = [job, *(_erasing(job, concept, method, which) for which in ("same", "apart"))]
        for hook in acts.hooks:
            x = acts.tensor(hook)[torch.from_numpy(targets.index[job.rows])].flatten(1).double()
            fault = job.fault or _fault(x)
            if fault:
                failed.append(FailedLayer(hook, position, fault))
                continue
            try:
                found = [_finding(one, hook, x, targets, folds) for one in jobs]
            except SondeError as error:
                failed.append(FailedLayer(hook, position, str(error).rstrip(".")))
                continue
            done.append(_layer(hook, position, found, settings))
    return done, failed


def _concept(targets: Targets, settings: AnyProbeSettings) -> Concept:
    """Say what the numbers that were fitted stand for: class numbers are no quantity."""
    n_classes = len(targets.classes)
    if settings.says == "logits":
        return lambda y: indicators(y[:, 0], n_classes)
    return lambda y: y


def _erasing(job: Job, concept: Concept, method: Method, rows: Fitted) -> Job:
    plain: Prepare = job.prepare
    return replace(job, prepare=lambda problem: ErasedSolver(problem, plain, concept, method, rows))


def _fault(x: Float[Tensor, "row d_model"]) -> str:
    bad = int((~x.isfinite().all(dim=1)).sum())
    if bad:
        return f"{bad} of {len(x)} rows hold NaN or Inf; {NOT_FINITE}"
    return "" if bool((x != x[0]).any()) else "its activations are the same in every row"


def _finding(
    job: Job,
    hook: HookPoint,
    x: Float[Tensor, "row d_model"],
    targets: Targets,
    folds: Int[np.ndarray, " row"],
) -> Finding:
    (swept,) = job.run([hook], x[None])
    scored, settings = swept.scored(0, targets, folds), job.settings
    return Finding(
        score=interval_of(scored.scores(settings.metric), settings.bootstrap),
        control=_control(swept, targets, folds, settings),
        scored=scored,
    )


def _control(
    swept: Swept, targets: Targets, folds: Int[np.ndarray, " row"], settings: AnyProbeSettings
) -> Control | None:
    columns = swept.controls.get(SHUFFLED, ())
    if not columns:
        return None
    scored = tuple(swept.scored(column, targets, folds) for column in columns)
    return Control(mean_interval(scored, METRICS[settings.metric], settings.bootstrap), scored)


def _layer(
    hook: HookPoint, position: str, found: Sequence[Finding], settings: AnyProbeSettings
) -> LayerErasure:
    before, same, apart = found
    scores = before.scored.scores(settings.metric), apart.scored.scores(settings.metric)
    return LayerErasure(
        hook=hook,
        position=position,
        before=before,
        same=same,
        apart=apart,
        lost=difference(*scores, settings.bootstrap).interval,
        chance=_chance(settings.metric, before.scored.truth),
    )


def _chance(metric: str, truth: Float[np.ndarray, " line"]) -> float:
    """Return the score of the best constant answer."""
    if metric in ("accuracy", "class_accuracy"):
        return float(np.unique(truth, return_counts=True)[1].max() / len(truth))
    if metric == "macro_recall":
        return 1 / len(np.unique(truth))
    return METRICS[metric].chance
