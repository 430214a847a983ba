"""Put the evidence of each place together: intervals, controls, probe, warnings."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from sonde.activations.activations import Activations
from sonde.probes.baseline import Baseline
from sonde.probes.control import Control
from sonde.probes.probe import Probe
from sonde.probes.results import LayerResult
from sonde.probes.scored import intervals, mean_intervals
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.swept import Swept
from sonde.probes.targets import Targets
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS


def layer_results(
    acts: Activations,
    targets: Targets,
    folds: Int[np.ndarray, " row"],
    settings: AnyProbeSettings,
    found: tuple[Sequence[Swept], Mapping[str, Baseline]],
) -> tuple[LayerResult, ...]:
    """Make the result of every place; the places of one position are resampled alike."""
    swept, baselines = found
    beside = {name: one.score for name, one in baselines.items()}
    data = targets.fingerprint  # of all labels: taken once
    results: list[LayerResult] = []
    for position in dict.fromkeys(one.place.position for one in swept):
        here = [one for one in swept if one.place.position == position]
        real = [one.scored(0, targets, folds) for one in here]
        by_metric = {
            name: intervals(real, METRICS[name], settings.bootstrap) for name in settings.metrics
        }
        controls = _controls(here, targets, folds, settings)
        for number, one in enumerate(here):
            metrics = {name: values[number] for name, values in by_metric.items()}
            evidence = {name: control.score for name, control in controls[number].items()}
            scores = {**metrics, **evidence, **beside}
            probe = _probe(acts, targets, settings, one, scores, data)
            results.append(
                LayerResult(
                    hook=one.place.hook,
                    position=position,
                    score=metrics[settings.metric],
                    controls=controls[number],
                    metrics=metrics,
                    penalty=probe.penalty,
                    by_penalty=tuple(zip(settings.penalties, one.by_penalty.tolist(), strict=True)),
                    probe=probe,
                    scored=real[number],
                    warnings=_warnings(settings, one, probe),
                )
            )
    return tuple(results)


def _controls(
    here: Sequence[Swept],
    targets: Targets,
    folds: Int[np.ndarray, " row"],
    settings: AnyProbeSettings,
) -> list[dict[str, Control]]:
    """Score the controls of the places of one position."""
    controls: list[dict[str, Control]] = [{} for _ in here]
    for name in dict.fromkeys(name for one in here for name in one.controls):
        having = [number for number, one in enumerate(here) if name in one.controls]
        repeated = [
            tuple(
                here[number].scored(column, targets, folds)
                for column in here[number].controls[name]
            )
            for number in having
        ]
        scores = mean_intervals(repeated, METRICS[settings.metric], settings.bootstrap)
        for number, score, scored in zip(having, scores, repeated, strict=True):
            controls[number][name] = Control(score, scored)
    return controls


def _probe(
    acts: Activations,
    targets: Targets,
    settings: AnyProbeSettings,
    one: Swept,
    evidence: dict[str, Interval],
    data: str,
) -> Probe:
    return Probe(
        kind=settings.kind,
        hook=one.place.hook,
        position=one.place.position,
        reader=one.reader,
        says=settings.says,
        labels=targets.labels,
        penalty=settings.penalties[one.final],
        origin=acts.origin,
        metrics=evidence,
        training_data=data,
        n_rows=len(np.unique(one.rows)) if one.other is None else len(targets.index),
    )


def _warnings(settings: AnyProbeSettings, one: Swept, probe: Probe) -> tuple[str, ...]:
    found: list[str] = []
    if one.at_edge:
        low = one.final == 0
        found.append(
            f"the best penalty, {probe.penalty:g}, is the {'lowest' if low else 'highest'} of the "
            f"grid; try {'lower' if low else 'higher'} ones"
        )
    if one.separated:
        found.append(
            "the classes are perfectly separated on the training rows; only the penalty keeps "
            "the weights finite"
        )
    return tuple(found)
