"""Two-class probes in closed form from a stream, nothing of which is kept, scored out of fold.

Moments of each fold say what a fit without it is; the rows of the fold are then read by that fit
in one more run of the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from sonde.activations.running_moments import RunningMoments
from sonde.activations.streaming import ActivationStream
from sonde.core.errors import SondeError
from sonde.data.accounting import JoinReport
from sonde.probes.closed_forms import ClosedForm, Readers, closed_form_readers
from sonde.probes.duplicates import without_duplicates
from sonde.probes.fold_moments import Spread
from sonde.probes.job import Job
from sonde.probes.penalty_scores import ordered
from sonde.probes.probe import Probe
from sonde.probes.reader import Linear
from sonde.probes.scored import Scored, intervals
from sonde.probes.settings.discriminants import LdaSettings, MassMeanSettings
from sonde.probes.settings.mean_difference import MeanDifferenceSettings
from sonde.probes.streamed_moments import (
    MEMORY,
    LabelledRows,
    fold_moments_of,
    known_rows,
    lost_rows,
    parts,
    selected,
)
from sonde.probes.sweep import make_folds
from sonde.probes.swept import CONSTANT, FailedLayer, Place, why_all_failed
from sonde.probes.targets import Labels, Targets, class_targets
from sonde.stats.metrics import METRICS


@dataclass(frozen=True, slots=True, eq=False)
class StreamedProbes:
    """A probe for each place, fitted on all rows, with its scores out of fold.

    ``probes[i].metrics`` has AUROC and balanced accuracy with their intervals, made of
    ``scored[i]``. There is no choice of a layer, no control and no baseline: those need a sweep of
    stored activations, of which the places' own scores are the same.
    """

    probes: tuple[Probe, ...]
    scored: tuple[Scored, ...]
    failed: tuple[FailedLayer, ...]
    join: JoinReport
    warnings: tuple[str, ...]


def probes_from_stream(
    stream: ActivationStream, y: Labels, settings: ClosedForm, *, memory: int = MEMORY
) -> StreamedProbes:
    """Fit a two-class probe at every hook point and position of a stream, and score it.

    Probes and scores are those that the kind's own function finds in the stored activations, to
    rounding. The model is run once for the moments of folds, once more where Ledoit and Wolf's
    shrinkage is looked for, and once to read each fold by the fit without it. ``memory`` is how
    many bytes the moments may take; where the hook points need more, they take turns.

    Raises:
        SondeError: the labels do not join or are not of two classes, there are too few groups, or
            no layer could be fitted.
    """
    bare = settings.model_copy(update={"shuffles": 0, "directions": 0, "baseline": False})
    known = known_rows(stream)
    targets = without_duplicates(known, class_targets(known, y, settings.positive), bare)
    folds = make_folds(targets, bare)
    plan: dict[str, tuple[LabelledRows, np.ndarray]] = {}
    failed: list[FailedLayer] = []
    for position in dict.fromkeys(targets.position.tolist()):
        job = Job.of(targets, np.flatnonzero(targets.position == position), folds, bare)
        if job.fault:
            failed += [FailedLayer(hook, position, job.fault) for hook in stream.hooks]
        else:
            rows = LabelledRows.of(targets, job.rows, folds, stream.n_rows)
            plan[position] = rows, job.rows
    alone = isinstance(settings, MeanDifferenceSettings)
    matrices = (settings.folds + 1) * len(plan)
    turns = [stream.hooks] if alone else parts(stream, matrices, memory)
    found: dict[Place, tuple[Linear, Scored]] = {}
    notes = list(targets.notes)
    for hooks in turns if plan else ():
        reading = stream.only(hooks)
        read, lost = _read(reading, [rows for rows, _ in plan.values()], settings)
        failed += [FailedLayer(place.hook, place.position, why) for place, why in lost.items()]
        for place, (reader, said) in read.items():
            rows = plan[place.position][1]
            found[place] = reader, _scored(targets, rows, folds, said)
        notes += lost_rows(reading, targets, hooks)
    if len(turns) > 1:
        runs = 3 if _looks_for_shrinkage(settings) else 2
        notes.append(f"The layers took {len(turns)} turns, each of {runs} runs of the model.")
    return _put_together(found, failed, (targets, tuple(notes)), stream, settings)


def _looks_for_shrinkage(settings: ClosedForm) -> bool:
    shrunk = isinstance(settings, MassMeanSettings | LdaSettings)
    return shrunk and settings.shrinkage == "ledoit_wolf"


def _read(
    stream: ActivationStream, plan: Sequence[LabelledRows], settings: ClosedForm
) -> tuple[dict[Place, tuple[Linear, Float[np.ndarray, " row"]]], dict[Place, str]]:
    """Return each place's final fit and what was said of its rows out of fold; NaN if not read."""
    alone = isinstance(settings, MeanDifferenceSettings)
    moments = fold_moments_of(stream, plan, covariance=not alone)
    failed = {place: why for place, folds in moments.items() if (why := _fault(folds))}
    for place in failed:
        del moments[place]
    readers, more = closed_form_readers(stream, plan, moments, settings)
    said = {place: np.full(len(_of(plan, place).y), np.nan) for place in readers}
    for place, rows, x, numbers in selected(stream, plan):
        for fold in np.unique(rows.folds[numbers]).tolist() if place in readers else ():
            here = rows.folds[numbers] == fold
            logits = readers[place][fold](x[torch.from_numpy(here).to(x.device)])[:, 0]
            said[place][numbers[here]] = logits.cpu().numpy()
    return {place: (_last(readers[place]), said[place]) for place in readers}, failed | more


def _of(plan: Sequence[LabelledRows], place: Place) -> LabelledRows:
    return next(rows for rows in plan if rows.position == place.position)


def _last(readers: Readers) -> Linear:
    return Linear.of({name: it.cpu() for name, it in readers[-1].tensors().items()})


def _fault(folds: Sequence[RunningMoments]) -> str:
    """Say why a place cannot be fitted without one of its folds, or nothing."""
    if not all(fold.count for fold in folds):
        return "one of the folds has no finite activations"
    positive = np.array([fold.count * float(fold.target_mean) for fold in folds])
    negative = np.array([fold.count for fold in folds]) - positive
    for one in (positive, negative):
        if (one.sum() - one < 0.5).any():
            return "without one of the folds, a class has no finite activations"
    n = torch.tensor([fold.count for fold in folds]).to(folds[0].mean)
    spread = Spread(
        n, torch.stack([it.mean for it in folds]), torch.stack([it.square for it in folds])
    )
    return "" if bool(spread.over(range(len(folds))).varies.any()) else CONSTANT


def _scored(
    targets: Targets,
    rows: Int[np.ndarray, " here"],
    folds: Int[np.ndarray, " row"],
    said: Float[np.ndarray, " here"],
) -> Scored:
    """Put what was said beside the truth, each fold by its own size, as a sweep does."""
    rows, said = rows[~np.isnan(said)], said[~np.isnan(said)]
    fold = folds[rows]
    size = np.sqrt(np.bincount(fold, np.square(said)) / np.maximum(np.bincount(fold), 1))
    scale = np.where(size > 0, size, 1.0)[fold]
    return Scored(
        example=targets.example[rows],
        token=targets.token[rows],
        unit=targets.unit[rows],
        fold=fold,
        truth=targets.values[rows, 0],
        predicted=said / scale,
        scale=scale,
    )


def _put_together(
    found: Mapping[Place, tuple[Linear, Scored]],
    failed: Sequence[FailedLayer],
    known: tuple[Targets, tuple[str, ...]],
    stream: ActivationStream,
    settings: ClosedForm,
) -> StreamedProbes:
    if not found:
        raise SondeError(f"No layer could be probed. {why_all_failed(failed)}")
    targets, notes = known
    places = ordered(found, targets)
    scored = tuple(found[place][1] for place in places)
    metrics = {
        name: intervals(scored, METRICS[name], settings.bootstrap) for name in settings.metrics
    }
    probes = tuple(
        Probe(
            kind=settings.kind,
            says=settings.says,
            hook=place.hook,
            position=place.position,
            reader=found[place][0],
            labels=targets.labels,
            penalty=0.0,
            origin=stream.origin,
            metrics={name: each[number] for name, each in metrics.items()},
            training_data=targets.fingerprint,
            n_rows=len(scored[number]),
        )
        for number, place in enumerate(places)
    )
    return StreamedProbes(probes, scored, tuple(failed), targets.report, notes)
