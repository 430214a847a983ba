"""The kinds of probes: one solver file each, one class of settings, and one line in this table."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sonde.probes.control import Shuffle, shuffled_rows
from sonde.probes.lines import ClassLines, Lines, RowLines, TargetLines, first_rows
from sonde.probes.logistic_solver import logistic_solver
from sonde.probes.mean_solver import mean_solver
from sonde.probes.problem import Problem
from sonde.probes.random_direction import RandomDirections
from sonde.probes.ridge_solver import ridge_solver
from sonde.probes.settings import (
    AnyProbeSettings,
    LogisticSettings,
    MeanDifferenceSettings,
    RidgeSettings,
)
from sonde.probes.solver import Predictor, Prepare
from sonde.probes.targets import Targets, class_targets, number_targets

Rows: TypeAlias = np.ndarray  # int64: some of the targets' rows, those of one position
AlongDirections: TypeAlias = Callable[[Problem, Float[Tensor, "layer d_model k"]], Predictor]


def _directions(settings: AnyProbeSettings, targets: Targets, rows: Rows) -> AlongDirections:
    return partial(RandomDirections, says=settings.says, n_classes=len(targets.classes))


def _lines(settings: AnyProbeSettings, targets: Targets, rows: Rows, folds: np.ndarray) -> Lines:
    """Score every row, or every example where its rows are read together."""
    pools = KINDS[settings.kind].pools
    scored = first_rows(targets.example[rows]) if pools else np.arange(len(rows))
    if settings.says == "logits":
        return ClassLines(scored)
    if targets.values.shape[1] > 1:
        return TargetLines.of(targets.values[rows], scored)
    return RowLines(scored)


@dataclass(frozen=True, slots=True)
class ProbeKind:
    """What makes a kind of probe; everything else is the same for all.

    ``targets(acts, y, settings, comparisons)`` joins the labels with the rows. Of the rows of one
    position ``prepare(settings, targets, rows)`` gives what makes the solver of a problem,
    ``lines(settings, targets, rows, folds)`` what is scored, ``directions(settings, targets,
    rows)`` the random-direction control. ``shuffle`` deals the labels out for the shuffled-label
    control. Where it ``pools``, an example's rows are read together.
    """

    settings: type[AnyProbeSettings]
    targets: Callable[..., Targets]
    prepare: Callable[[Any, Targets, Rows], Prepare]
    lines: Callable[[Any, Targets, Rows, np.ndarray], Lines] = _lines
    shuffle: Shuffle = shuffled_rows
    directions: Callable[[Any, Targets, Rows], AlongDirections] = _directions
    pools: bool = False


def _two_classes(acts: Any, y: Any, settings: Any, comparisons: None) -> Targets:
    return class_targets(acts, y, settings.positive)


def _numbers(acts: Any, y: Any, settings: Any, comparisons: None) -> Targets:
    return number_targets(acts, y)


def _plain(solver: Prepare) -> Callable[[Any, Targets, Rows], Prepare]:
    """Prepare a solver that needs nothing of the settings."""
    return lambda settings, targets, rows: solver


KINDS: dict[str, ProbeKind] = {
    "ridge": ProbeKind(RidgeSettings, _numbers, _plain(ridge_solver)),
    "logistic": ProbeKind(LogisticSettings, _two_classes, _plain(logistic_solver)),
    "mean_difference": ProbeKind(MeanDifferenceSettings, _two_classes, _plain(mean_solver)),
}
