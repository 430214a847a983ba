"""Two-class probes in closed form from moments of folds: one without each fold, and one of all.

Mean difference, mass mean, LDA and the first principal component need the mean and scatter of the
rows and the difference of the classes' means. The shrinkage of Ledoit and Wolf needs one more sum,
of fourth powers about those means, for which the model is run a second time.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.activations.running_moments import RunningMoments
from sonde.activations.streaming import ActivationStream
from sonde.core.errors import SondeError
from sonde.probes.discriminant import discriminant
from sonde.probes.fold_moments import FoldMoments, GramFit, Spread
from sonde.probes.pca_solver import component
from sonde.probes.reader import Linear, folded
from sonde.probes.settings.discriminants import LdaSettings, MassMeanSettings, PcaSettings
from sonde.probes.settings.mean_difference import MeanDifferenceSettings
from sonde.probes.shrinkage import RowSums, ledoit_wolf
from sonde.probes.streamed_moments import LabelledRows, selected
from sonde.probes.swept import Place
from sonde.probes.two_classes import TwoClasses

ClosedForm: TypeAlias = MeanDifferenceSettings | MassMeanSettings | LdaSettings | PcaSettings
Readers: TypeAlias = tuple[Linear, ...]  # without fold 0, 1 and so on, and of all rows
Shrunk: TypeAlias = MassMeanSettings | LdaSettings
Fits: TypeAlias = list[GramFit]


def closed_form_readers(
    stream: ActivationStream,
    plan: Sequence[LabelledRows],
    moments: dict[Place, list[RunningMoments]],
    settings: ClosedForm,
) -> tuple[dict[Place, Readers], dict[Place, str]]:
    """Fit at each place without each fold, and on all; return why places have no fit, beside.

    ``moments`` is emptied, place by place: the fits take as much memory.
    """
    if isinstance(settings, MeanDifferenceSettings):
        return {place: _differences(moments.pop(place)) for place in list(moments)}, {}
    fits = {place: _fits(moments.pop(place)) for place in list(moments)}
    shrinkage: Mapping[Place, list[Tensor]] = {}
    if not isinstance(settings, PcaSettings):
        shrinkage = _shrinkage(stream, plan, fits, settings)
    found: dict[Place, Readers] = {}
    failed: dict[Place, str] = {}
    for place in list(fits):
        try:
            found[place] = _readers(fits.pop(place), shrinkage.get(place, []), settings)
        except SondeError as error:
            failed[place] = str(error).rstrip(".")
    return found, failed


def _kept(n_folds: int) -> list[list[int]]:
    """Return the folds that each fit is made of: all but one, and all."""
    every = list(range(n_folds))
    return [*([fold for fold in every if fold != out] for out in every), every]


def _fits(running: Sequence[RunningMoments]) -> Fits:
    moments = FoldMoments.of_running(running)
    return [moments.over(kept) for kept in _kept(len(running))]


def _readers(fits: Fits, shrinkage: Sequence[Tensor], settings: ClosedForm) -> Readers:
    readers: list[Linear] = []
    for number, fit in enumerate(fits):
        if isinstance(settings, PcaSettings):
            own = fit if settings.standardise else fit.unscaled()
            readers.append(_reader(own, *component(own, settings.centring)))
        else:
            priors = isinstance(settings, LdaSettings)
            readers.append(_reader(fit, *discriminant(fit, shrinkage[number], priors)))
    return tuple(readers)


def _reader(
    fit: GramFit, weight: Float64[Tensor, "one d_model"], bias: Float64[Tensor, " one"]
) -> Linear:
    (reader,) = folded(weight[None], bias[None], fit.mean[None], fit.scale[None])
    return reader


def _shrinkage(
    stream: ActivationStream,
    plan: Sequence[LabelledRows],
    fits: Mapping[Place, Fits],
    settings: Shrunk,
) -> dict[Place, list[Float64[Tensor, " one"]]]:
    """Return the number that was given, or run the stream again for Ledoit and Wolf's."""
    if settings.shrinkage != "ledoit_wolf":
        given = settings.shrinkage
        return {
            place: [torch.full_like(fit.centre, given) for fit in several]
            for place, several in fits.items()
        }
    classes = {
        place: [TwoClasses.of_fit(fit) for fit in several] for place, several in fits.items()
    }
    sums: dict[Place, list[RowSums | None]] = {
        place: [None] * len(several) for place, several in fits.items()
    }
    for place, rows, x, numbers in selected(stream, plan):
        if place not in fits:
            continue
        y = torch.from_numpy(rows.y[numbers]).to(x.device)
        of_row = torch.from_numpy(rows.folds[numbers]).to(x.device)
        for number, fit in enumerate(fits[place]):
            trained = of_row != number  # the last is of all rows: no fold has its number
            here = RowSums.of(x[trained].double(), y[trained], fit, classes[place][number])
            before = sums[place][number]
            sums[place][number] = here if before is None else before + here
    return {
        place: [
            ledoit_wolf(one, fit, both)
            for one, fit, both in zip(sums[place], several, classes[place], strict=True)
            if one is not None
        ]
        for place, several in fits.items()
    }


def _differences(running: Sequence[RunningMoments]) -> Readers:
    """Return mean(x | 1) - mean(x | 0) of the folds that each fit is made of, zero midway.

    Of a fold with n rows, mean m and share p of class 1, the rows of that class sum up to
    n p m + sum (y - p)(x - m).
    """
    n = torch.tensor([one.count for one in running]).to(running[0].mean)
    mean = torch.stack([one.mean for one in running])
    spread = Spread(n, mean, torch.stack([one.square for one in running]))
    positive = n * torch.stack([one.target_mean for one in running])[:, 0]
    sums = positive[:, None] * mean + torch.stack([one.cross for one in running])[:, 0]
    readers: list[Linear] = []
    for kept in _kept(len(running)):
        upper = sums[kept].sum(dim=0) / positive[kept].sum()
        lower = (n[kept] @ mean[kept] - sums[kept].sum(dim=0)) / (n - positive)[kept].sum()
        weight, standards = upper - lower, spread.over(kept)
        bias = -weight @ (upper + lower) / 2
        readers.append(Linear(weight[None], bias[None], standards.mean, standards.scale))
    return tuple(readers)
