"""The score of choosing a layer: chosen by the training folds, measured on the other."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from sonde.probes.control import Control
from sonde.probes.results import Selection
from sonde.probes.scored import Scored, intervals, mean_interval
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.swept import Swept
from sonde.probes.targets import Targets
from sonde.stats.metrics import METRICS


def select(
    swept: Sequence[Swept],
    targets: Targets,
    folds: Int[np.ndarray, " row"],
    settings: AnyProbeSettings,
) -> Selection:
    """For each outer fold take the place that the other folds score best; pool their predictions.

    Equal scores go to the earlier place. Each repetition of a control makes the same choice.
    """
    metric, bootstrap = METRICS[settings.metric], settings.bootstrap
    own = [(one, 0) for one in swept]
    winners = [_winner(own, fold) for fold in range(settings.folds)]
    scored = _pooled(own, winners, targets, folds)
    controls: dict[str, Control] = {}
    for name in dict.fromkeys(name for one in swept for name in one.controls):
        having = [one for one in swept if name in one.controls]
        pooled: list[Scored] = []
        for number in range(len(having[0].controls[name])):
            columns = [(one, one.controls[name][number]) for one in having]
            by_chance = [_winner(columns, fold) for fold in range(settings.folds)]
            pooled.append(_pooled(columns, by_chance, targets, folds))
        controls[name] = Control(mean_interval(pooled, metric, bootstrap), tuple(pooled))
    chosen = [swept[winner] for winner in winners]
    return Selection(
        score=intervals([scored], metric, bootstrap)[0],
        controls=controls,
        hooks=tuple(one.place.hook for one in chosen),
        positions=tuple(one.place.position for one in chosen),
        penalties=tuple(settings.penalties[one.chosen[fold]] for fold, one in enumerate(chosen)),
        scored=scored,
    )


def _winner(candidates: Sequence[tuple[Swept, int]], fold: int) -> int:
    scores = np.array([one.columns.inner_best[fold, column] for one, column in candidates])
    return int(np.where(np.isnan(scores), -np.inf, scores).argmax())


def _pooled(
    candidates: Sequence[tuple[Swept, int]],
    winners: Sequence[int],
    targets: Targets,
    folds: Int[np.ndarray, " row"],
) -> Scored:
    parts: list[Scored] = []
    for fold, winner in enumerate(winners):
        one, column = candidates[winner]
        parts.append(one.scored(column, targets, folds, folds[one.rows] == fold))
    return Scored.joined(parts)
