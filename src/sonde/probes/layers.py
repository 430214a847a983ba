"""Put the evidence of each place together: intervals, control, probe, warnings."""

import numpy as np
import torch
from jaxtyping import Int

from sonde.activations.activations import Activations
from sonde.probes.baseline import Baseline
from sonde.probes.probe import Probe
from sonde.probes.results import LayerResult
from sonde.probes.scored import Scored, intervals, mean_intervals
from sonde.probes.settings import ProbeSettings
from sonde.probes.sweep import Swept
from sonde.probes.targets import Targets
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS


def layer_results(
    acts: Activations,
    targets: Targets,
    folds: Int[np.ndarray, " row"],
    settings: ProbeSettings,
    found: tuple[list[Swept], Baseline | None],
) -> tuple[LayerResult, ...]:
    """Make the result of every place; the places of one position are resampled alike."""
    swept, baseline = found
    results: list[LayerResult] = []
    for position in dict.fromkeys(one.place.position for one in swept):
        here = [one for one in swept if one.place.position == position]
        scored = [_scored(one, targets, folds) for one in here]
        real = [columns[0] for columns in scored]
        by_metric = {
            name: intervals(real, METRICS[name], settings.bootstrap) for name in settings.metrics
        }
        controls = mean_intervals(
            [columns[1:] for columns in scored], METRICS[settings.metric], settings.bootstrap
        )
        for number, one in enumerate(here):
            evidence = {name: values[number] for name, values in by_metric.items()}
            evidence["control"] = controls[number]
            if baseline:
                evidence["bag_of_tokens"] = baseline.score
            probe = _probe(acts, targets, settings, one, evidence)
            warnings = _warnings(settings, one, probe)
            results.append(_result(one, settings, probe, scored[number], warnings))
    return tuple(results)


def _result(
    one: Swept,
    settings: ProbeSettings,
    probe: Probe,
    scored: list[Scored],
    warnings: tuple[str, ...],
) -> LayerResult:
    return LayerResult(
        hook=one.place.hook,
        position=one.place.position,
        score=probe.metrics[settings.metric],
        control=probe.metrics["control"],
        metrics={name: probe.metrics[name] for name in settings.metrics},
        penalty=probe.penalty,
        by_penalty=tuple(zip(settings.penalties, one.by_penalty.tolist(), strict=True)),
        probe=probe,
        scored=scored[0],
        control_scored=tuple(scored[1:]),
        warnings=warnings,
    )


def _scored(one: Swept, targets: Targets, folds: np.ndarray) -> list[Scored]:
    """Return the real labels' predictions, then each shuffle's."""
    rows = one.rows
    return [
        Scored(
            example=targets.example[rows],
            token=targets.token[rows],
            unit=targets.unit[rows],
            fold=folds[rows],
            truth=one.targets[:, column],
            predicted=one.out_of_fold[:, column],
        )
        for column in range(one.targets.shape[1])
    ]


def _probe(
    acts: Activations,
    targets: Targets,
    settings: ProbeSettings,
    one: Swept,
    evidence: dict[str, Interval],
) -> Probe:
    return Probe(
        kind=settings.kind,
        hook=one.place.hook,
        position=one.place.position,
        weight=torch.from_numpy(one.weight),
        bias=one.bias,
        mean=torch.from_numpy(one.mean),
        scale=torch.from_numpy(one.scale),
        labels=targets.labels,
        penalty=settings.penalties[one.final],
        origin=acts.origin,
        metrics=evidence,
        training_data=targets.fingerprint,
        n_rows=len(one.rows),
    )


def _warnings(settings: ProbeSettings, one: Swept, probe: Probe) -> tuple[str, ...]:
    found: list[str] = []
    if one.at_edge:
        low = one.final == 0
        found.append(
            f"the best penalty, {probe.penalty:g}, is the {'lowest' if low else 'highest'} of the "
            f"grid; try {'lower' if low else 'higher'} ones"
        )
    if settings.kind == "logistic" and one.separated:
        found.append(
            "the classes are perfectly separated on the training rows; only the penalty keeps "
            "the weights finite"
        )
    return tuple(found)
