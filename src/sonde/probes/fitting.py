"""Fit probes of any kind at every layer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from sonde.activations.activations import Activations
from sonde.core.errors import SondeError
from sonde.probes.baseline import baselines
from sonde.probes.duplicates import without_duplicates
from sonde.probes.kinds import KINDS
from sonde.probes.layers import layer_results
from sonde.probes.names import DIRECTION, SHUFFLED, WEIGHTS
from sonde.probes.random_weights import with_random_weights
from sonde.probes.results import ProbeResults
from sonde.probes.selection import select
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.sweep import make_folds, sweep
from sonde.probes.swept import Swept, why_all_failed
from sonde.probes.targets import Given, Targets
from sonde.probes.threads import threads_for

NO_WEIGHTS = "no activations of random weights were given"


def fit(
    acts: Activations,
    y: Given,
    settings: AnyProbeSettings,
    *,
    random_weights: Activations | None = None,
    comparisons: Any = None,
) -> ProbeResults:
    """Fit the kind of probe that the settings are of, at every hook point and position.

    Args:
        acts: the activations.
        y: examples (their labels, groups and texts are used), a mapping from example id to label,
            or an array with one label for each row (or one row of numbers). For a Bradley-Terry
            probe the comparisons, or examples (of which groups and texts are used).
        settings: which kind, and how.
        random_weights: activations of the same rows and hook points from the same model with
            random weights (``random:`` and its name), for a control.
        comparisons: which of two examples was preferred, for a Bradley-Terry probe.

    Raises:
        SondeError: the labels do not join or are not what the kind fits, there are too few groups,
            or no layer could be probed.
    """
    targets = KINDS[settings.kind].targets(acts, y, settings, comparisons)
    with threads_for(len(targets.index)):
        return _fit(acts, without_duplicates(acts, targets, settings), settings, random_weights)


def _fit(
    acts: Activations,
    targets: Targets,
    settings: AnyProbeSettings,
    untrained: Activations | None,
) -> ProbeResults:
    folds = make_folds(targets, settings)
    swept, failed = sweep(acts, targets, folds, settings)
    if not swept:
        raise SondeError(f"No layer could be probed. {why_all_failed(failed)}")
    notes = list(targets.notes)
    notes += [f"{len(failed)} of {len(failed) + len(swept)} layers failed."] if failed else []
    notes += _edges(swept, settings) + _separated(swept) + _untested(targets, folds, settings)
    if untrained is not None:
        swept, said = with_random_weights(swept, (acts, untrained), targets, folds, settings)
        notes += said
    beside, missing = baselines(targets, folds, settings)
    return ProbeResults(
        kind=settings.kind,
        metric=settings.metric,
        layers=layer_results(acts, targets, folds, settings, (swept, beside)),
        selection=select(swept, targets, folds, settings),
        baselines=beside,
        missing=_without_controls(settings, untrained) | missing,
        join=targets.report,
        n=len(np.unique(targets.unit)),
        n_rows=len(targets.index),
        labels=targets.labels,
        settings=settings,
        failed=tuple(failed),
        warnings=tuple(notes),
    )


def _edges(swept: Sequence[Swept], settings: AnyProbeSettings) -> list[str]:
    """Say at how many layers the best penalty lies at which edge of the grid."""
    notes: list[str] = []
    last = len(settings.penalties) - 1
    for index, edge, side in ((0, "lowest", "lower"), (last, "highest", "higher")):
        count = sum(one.at_edge and one.final == index for one in swept)
        if count:
            notes.append(
                f"At {count} of {len(swept)} layers the best penalty is the {edge} of the grid, "
                f"{settings.penalties[index]:g}; add {side} ones."
            )
    return notes


def _separated(swept: Sequence[Swept]) -> list[str]:
    """Say at how many layers nothing but the penalty keeps the weights finite."""
    count = sum(one.separated for one in swept)
    if not count:
        return []
    return [
        f"At {count} of {len(swept)} layers the classes are perfectly separated on the training "
        "rows; only the penalty keeps the weights finite."
    ]


def _untested(
    targets: Targets, folds: Int[np.ndarray, " row"], settings: AnyProbeSettings
) -> list[str]:
    """Say how many comparisons no fit is tested on, because their items lie in different folds."""
    if targets.compared is None:
        return []
    rows = np.flatnonzero(targets.position == targets.position[0])
    lines = KINDS[settings.kind].lines(settings, targets, rows, folds)
    number, every = len(lines.rows), len(targets.compared)
    return [
        f"{number:,} of {every:,} comparisons are of two items in one fold and have a winner: "
        "these are scored. A fit is trained on those of two items that both lie outside its fold."
    ]


def _without_controls(settings: AnyProbeSettings, untrained: Activations | None) -> dict[str, str]:
    off = {SHUFFLED: "shuffles", DIRECTION: "directions"}
    missing = {
        name: f"switched off by {key}: 0"
        for name, key in off.items()
        if getattr(settings, key) == 0
    }
    return missing if untrained is not None else {**missing, WEIGHTS: NO_WEIGHTS}
