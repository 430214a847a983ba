"""The score of choosing a layer: chosen by the training folds, measured on the other."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from sonde.probes.results import Selection
from sonde.probes.scored import Scored, intervals
from sonde.probes.settings import ProbeSettings
from sonde.probes.sweep import Swept
from sonde.probes.targets import Targets
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS


def select(
    swept: Sequence[Swept],
    targets: Targets,
    folds: Int[np.ndarray, " row"],
    settings: ProbeSettings,
) -> Selection:
    """For each outer fold take the place that the other folds score best; pool their predictions.

    Equal scores go to the earlier place.
    """
    metric, bootstrap = METRICS[settings.metric], settings.bootstrap
    winners = [_winner(swept, fold, 0) for fold in range(settings.folds)]
    scored = _pooled(swept, winners, targets, folds, 0)
    controls: list[Interval] = []
    for column in range(1, settings.shuffles + 1):
        by_chance = [_winner(swept, fold, column) for fold in range(settings.folds)]
        pooled = _pooled(swept, by_chance, targets, folds, column)
        controls.append(intervals([pooled], metric, bootstrap)[0])
    chosen = [swept[winner] for winner in winners]
    return Selection(
        score=intervals([scored], metric, bootstrap)[0],
        control=_mean(controls),
        hooks=tuple(one.place.hook for one in chosen),
        positions=tuple(one.place.position for one in chosen),
        penalties=tuple(settings.penalties[one.chosen[fold, 0]] for fold, one in enumerate(chosen)),
        scored=scored,
    )


def _winner(swept: Sequence[Swept], fold: int, column: int) -> int:
    scores = np.array([one.inner_best[fold, column] for one in swept])
    return int(np.where(np.isnan(scores), -np.inf, scores).argmax())


def _pooled(
    swept: Sequence[Swept],
    winners: Sequence[int],
    targets: Targets,
    folds: Int[np.ndarray, " row"],
    column: int,
) -> Scored:
    parts: list[Scored] = []
    for fold, winner in enumerate(winners):
        one = swept[winner]
        here = folds[one.rows] == fold
        rows = one.rows[here]
        parts.append(
            Scored(
                example=targets.example[rows],
                token=targets.token[rows],
                unit=targets.unit[rows],
                fold=folds[rows],
                truth=one.targets[here, column],
                predicted=one.out_of_fold[here, column],
            )
        )
    return Scored.joined(parts)


def _mean(found: Sequence[Interval]) -> Interval:
    """Average over shuffles; with several, the bounds are averages too, which is on the wide side.

    Different shuffles may choose different rows, so they cannot be resampled together.
    """
    value, low, high = (
        float(np.mean([getattr(one, name) for one in found])) for name in ("value", "low", "high")
    )
    return Interval(value, low, high, found[0].n, found[0].level)
