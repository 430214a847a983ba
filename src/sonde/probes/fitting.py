"""Fit probes at every layer: ridge, logistic, mean difference."""

from typing import Any

import numpy as np

from sonde.activations.activations import Activations
from sonde.core.base import AnyConfig, validated
from sonde.core.errors import SondeError
from sonde.probes.baseline import bag_of_tokens
from sonde.probes.layers import layer_results
from sonde.probes.logistic_solver import logistic_solver
from sonde.probes.mean_solver import mean_solver
from sonde.probes.results import ProbeResults
from sonde.probes.ridge_solver import ridge_solver
from sonde.probes.selection import select
from sonde.probes.settings import (
    LogisticSettings,
    MeanDifferenceSettings,
    ProbeSettings,
    RidgeSettings,
)
from sonde.probes.solver import Prepare
from sonde.probes.sweep import make_folds, sweep
from sonde.probes.targets import Labels, Targets, class_targets, number_targets

SOLVERS: dict[str, Prepare] = {
    "ridge": ridge_solver,
    "logistic": logistic_solver,
    "mean_difference": mean_solver,
}


def ridge(
    acts: Activations, y: Labels, settings: RidgeSettings | None = None, **given: Any
) -> ProbeResults:
    """Fit ridge regressions at every hook point and position.

    Minimises ``sum (y - z w - b)^2 + penalty |w|^2`` with z standardised by the training rows and
    b free; exact. Scored by R^2 out of fold. Two-class text labels become 0 and 1, with a note.

    Args:
        acts: the activations.
        y: examples (their labels, groups and texts are used), a mapping from example id to label,
            or an array with one label for each row.
        settings: the settings, or
        **given: single ones, such as ``penalties=(1, 10)``.

    Raises:
        SondeError: the labels do not join or do not vary, or there are too few groups.
    """
    chosen = _settings(RidgeSettings, settings, given)
    return _fit(acts, number_targets(acts, y), chosen)


def logistic(
    acts: Activations, y: Labels, settings: LogisticSettings | None = None, **given: Any
) -> ProbeResults:
    """Fit logistic regressions of two classes at every hook point and position.

    Minimises ``sum log-loss + penalty / 2 |w|^2`` with z standardised by the training rows and the
    intercept free: scikit-learn's ``LogisticRegression(C=1 / penalty)``. Scored by AUROC out of
    fold. Arguments as for ``ridge``; labels are two texts, or 0 and 1.

    Raises:
        SondeError: the labels do not join or are not of two classes, or there are too few groups.
    """
    chosen = _settings(LogisticSettings, settings, given)
    return _fit(acts, class_targets(acts, y, chosen.positive), chosen)


def mean_difference(
    acts: Activations, y: Labels, settings: MeanDifferenceSettings | None = None, **given: Any
) -> ProbeResults:
    """Take the difference of the classes' means at every hook point and position.

    ``weight = mean(x | positive) - mean(x | negative)``, zero midway between the means; x is raw.
    Scored by AUROC out of fold. Arguments as for ``logistic``.

    Raises:
        SondeError: the labels do not join or are not of two classes, or there are too few groups.
    """
    chosen = _settings(MeanDifferenceSettings, settings, given)
    return _fit(acts, class_targets(acts, y, chosen.positive), chosen)


def fit(acts: Activations, y: Labels, settings: ProbeSettings) -> ProbeResults:
    """Fit the kind of probe that the settings are of."""
    if isinstance(settings, RidgeSettings):
        return ridge(acts, y, settings)
    if isinstance(settings, LogisticSettings):
        return logistic(acts, y, settings)
    return mean_difference(acts, y, settings)


def _settings(
    kind: type[AnyConfig], settings: AnyConfig | None, given: dict[str, Any]
) -> AnyConfig:
    base = settings.model_dump() if settings else {}
    return validated(kind, {**base, **given}, where="The probe's settings")


def _fit(acts: Activations, targets: Targets, settings: ProbeSettings) -> ProbeResults:
    folds = make_folds(targets, settings)
    swept, failed = sweep(acts, targets, folds, settings, SOLVERS[settings.kind])
    if not swept:
        reasons = "; ".join(f"{it.hook} at {it.position}: {it.reason}" for it in failed[:3])
        raise SondeError(f"No layer could be probed. {reasons}.", fix="Mend the activations.")
    baseline = bag_of_tokens(targets, folds, settings) if settings.baseline else None
    layers = layer_results(acts, targets, folds, settings, (swept, baseline))
    notes = list(targets.notes)
    notes += [f"{len(failed)} of {len(failed) + len(swept)} layers failed."] if failed else []
    edges = sum(one.at_edge for one in swept)
    if edges:
        notes.append(
            f"At {edges} of {len(swept)} layers the best penalty is at the edge of the grid; "
            "widen it."
        )
    return ProbeResults(
        kind=settings.kind,
        metric=settings.metric,
        layers=layers,
        selection=select(swept, targets, folds, settings),
        bag_of_tokens=baseline,
        join=targets.report,
        n=len(np.unique(targets.unit)),
        n_rows=len(targets.index),
        labels=targets.labels,
        settings=settings,
        failed=tuple(failed),
        warnings=tuple(notes),
    )
