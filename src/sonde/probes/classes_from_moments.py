"""Two-class probes in closed form from the moments of a stream, nothing of which is kept.

Mean difference, mass mean, LDA and the first principal component need the mean and scatter of the
rows and the difference of the classes' means. The shrinkage of Ledoit and Wolf needs one more sum,
of fourth powers about those means, for which the model is run a second time.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.activations.running_moments import RunningMoments
from sonde.activations.streaming import ActivationStream
from sonde.core.errors import SondeError
from sonde.probes.discriminant import discriminant
from sonde.probes.fold_moments import FoldMoments, GramFit, Spread
from sonde.probes.pca_solver import component
from sonde.probes.penalty_scores import ordered
from sonde.probes.probe import Probe
from sonde.probes.reader import Linear, folded
from sonde.probes.settings.discriminants import LdaSettings, MassMeanSettings, PcaSettings
from sonde.probes.settings.mean_difference import MeanDifferenceSettings
from sonde.probes.shrinkage import RowSums, ledoit_wolf
from sonde.probes.streamed_moments import (
    MEMORY,
    LabelledRows,
    fold_moments_of,
    known_rows,
    parts,
    selected,
)
from sonde.probes.swept import Place
from sonde.probes.targets import Labels, Targets, class_targets
from sonde.probes.two_classes import TwoClasses

ClosedForm: TypeAlias = MeanDifferenceSettings | MassMeanSettings | LdaSettings | PcaSettings


def probes_from_stream(
    stream: ActivationStream, y: Labels, settings: ClosedForm, *, memory: int = MEMORY
) -> tuple[Probe, ...]:
    """Fit a two-class probe at every hook point and position of a stream, on all labelled rows.

    The probes are those that the kind's own function fits on the stored activations, to rounding;
    moments alone give no out-of-fold scores, so they come without any. ``memory`` is how many bytes
    the moments may take; where the hook points need more, the stream is run once for each part.

    Raises:
        SondeError: the labels do not join or are not of two classes, or a class has no finite
            activations.
    """
    known = known_rows(stream)
    targets = class_targets(known, y, settings.positive)
    one_fold = np.zeros(len(targets.index), np.int64)
    plan = [
        LabelledRows.of(targets, np.flatnonzero(targets.position == position), one_fold, len(known))
        for position in dict.fromkeys(targets.position.tolist())
    ]
    alone = isinstance(settings, MeanDifferenceSettings)
    found: dict[Place, tuple[Linear, int]] = {}
    for hooks in [stream.hooks] if alone else parts(stream, len(plan), memory):
        reading = stream.only(hooks)
        moments = fold_moments_of(reading, plan, covariance=not alone)
        running = {place: only for place, (only,) in moments.items()}
        for place, one in running.items():
            if not 0 < float(one.target_mean) < 1:
                raise SondeError(f"One class has no finite activations at {place}.")
        if alone:
            found |= {place: (_difference(one), one.count) for place, one in running.items()}
        else:
            fits = {place: _fit(one) for place, one in running.items()}
            readers = _closed_form(reading, plan, fits, settings)
            found |= {place: (reader, fits[place].n) for place, reader in readers.items()}
    return _probes(stream, targets, settings, found)


def _fit(running: RunningMoments) -> GramFit:
    return FoldMoments.of_running([running]).over([0])


def _difference(running: RunningMoments) -> Linear:
    """Return mean(x | 1) - mean(x | 0) = sum (y - mean)(x - mean) / (n q), zero midway."""
    spread = Spread(
        torch.tensor([running.count]).to(running.mean), running.mean[None], running.square[None]
    )
    standards = spread.over([0])
    classes = TwoClasses.of(running.count, running.target_mean, running.cross)
    bias = classes.bias(classes.difference) - classes.difference @ running.mean
    return Linear(classes.difference, bias, standards.mean, standards.scale)


def _closed_form(
    stream: ActivationStream,
    plan: Sequence[LabelledRows],
    fits: Mapping[Place, GramFit],
    settings: MassMeanSettings | LdaSettings | PcaSettings,
) -> dict[Place, Linear]:
    found: dict[Place, Linear] = {}
    if isinstance(settings, PcaSettings):
        for place, fit in fits.items():
            own = fit if settings.standardise else fit.unscaled()
            found[place] = _reader(own, *component(own, settings.centring))
        return found
    shrinkage = _shrinkage(stream, plan, fits, settings)
    for place, fit in fits.items():
        priors = isinstance(settings, LdaSettings)
        found[place] = _reader(fit, *discriminant(fit, shrinkage[place], priors))
    return found


def _shrinkage(
    stream: ActivationStream,
    plan: Sequence[LabelledRows],
    fits: Mapping[Place, GramFit],
    settings: MassMeanSettings | LdaSettings,
) -> dict[Place, Float64[Tensor, " one"]]:
    """Return the number that was given, or run the stream again for Ledoit and Wolf's."""
    if settings.shrinkage != "ledoit_wolf":
        given = settings.shrinkage
        return {place: torch.full_like(fit.centre, given) for place, fit in fits.items()}
    classes = {place: TwoClasses.of_fit(fit) for place, fit in fits.items()}
    sums: dict[Place, RowSums] = {}
    for place, rows, x, numbers in selected(stream, plan):
        y = torch.from_numpy(rows.y[numbers]).to(x.device)
        here = RowSums.of(x.double(), y, fits[place], classes[place])
        sums[place] = sums[place] + here if place in sums else here
    return {place: ledoit_wolf(sums[place], fit, classes[place]) for place, fit in fits.items()}


def _reader(
    fit: GramFit, weight: Float64[Tensor, "one d_model"], bias: Float64[Tensor, " one"]
) -> Linear:
    (reader,) = folded(weight[None], bias[None], fit.mean[None], fit.scale[None])
    return reader


def _probes(
    stream: ActivationStream,
    targets: Targets,
    settings: ClosedForm,
    found: Mapping[Place, tuple[Linear, int]],
) -> tuple[Probe, ...]:
    return tuple(
        Probe(
            kind=settings.kind,
            says=settings.says,
            hook=place.hook,
            position=place.position,
            reader=Linear.of({name: it.cpu() for name, it in found[place][0].tensors().items()}),
            labels=targets.labels,
            penalty=0.0,
            origin=stream.origin,
            training_data=targets.fingerprint,
            n_rows=found[place][1],
        )
        for place in ordered(found, targets)
    )
