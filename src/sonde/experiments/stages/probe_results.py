"""What a sweep of probes found, as a stage keeps it: a summary, and results for the ledger."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sonde.ledger.records import Against, Measured
from sonde.stats.interval import Interval

if TYPE_CHECKING:
    from sonde.probes.control import Control
    from sonde.probes.results import ProbeResults
    from sonde.probes.scored import Scored
    from sonde.stats.confusion import Confusion

FOLDER = "probe"
UNITS = f"{FOLDER}/out_of_fold.parquet"
CHOSEN = "hook point, position and penalty chosen inside the training folds"


def probe_summary(found: "ProbeResults") -> dict[str, Any]:
    """Return the numbers that gates and tables read.

    ``control`` and ``baseline`` are the shuffled labels and the bag of tokens under names that a
    gate can write; ``controls``, ``baselines`` and ``missing`` have all of them under their own.
    """
    best = found.best_layer
    control, selection = found.selection.control, found.selection
    return {
        "method": found.kind,
        "metric": found.metric,
        "n": found.n,
        "rows": found.n_rows,
        "selected": numbers(found.selected),
        "control": None if control is None else numbers(control),
        "controls": _scores(selection.controls),
        "baseline": None if found.baseline is None else numbers(found.baseline),
        "baselines": {name: numbers(one.score) for name, one in found.baselines.items()},
        "missing": {name: found.absence(name) for name in found.missing},
        "by_target": {name: numbers(score) for name, score in found.by_target.items()},
        "confusion": _by_class(found.confusion),
        "best": {
            "hook": str(best.hook),
            "layer": best.hook.layer,
            "position": best.position,
            "penalty": best.penalty,
            **numbers(best.score),
        },
        "layers": {
            found.name_of(layer): {
                **numbers(layer.score),
                "control": None if layer.control is None else numbers(layer.control),
                "controls": _scores(layer.controls),
                "confusion": _by_class(layer.confusion),
                "penalty": layer.penalty,
            }
            for layer in found.layers
        },
        "join": str(found.join),
        "failed": len(found.failed),
        "cautions": [str(one) for one in found.cautions],
        "warnings": list(found.warnings),
    }


def numbers(interval: Interval) -> dict[str, Any]:
    """Return an interval as JSON values."""
    return {name: getattr(interval, name) for name in ("value", "low", "high", "n")}


def _scores(controls: "Mapping[str, Control]") -> dict[str, Any]:
    return {name: numbers(control.score) for name, control in controls.items()}


def _by_class(found: "Confusion | None") -> dict[str, Any] | None:
    """Return the counts by true class and what was said, and each class's recall."""
    if found is None:
        return None
    return {
        "labels": list(found.labels),
        "counts": found.counts.tolist(),
        "recalls": dict(zip(found.labels, found.recalls.tolist(), strict=True)),
    }


def measured(found: "ProbeResults") -> list[Measured]:
    """Return the results for the ledger, each with its controls and the baselines of all."""
    from sonde.probes.per_unit import SELECTED, repetition

    baselines = {name: Against(one.score, (name,)) for name, one in found.baselines.items()}
    selection = found.selection
    results = [
        (SELECTED, found.selected, selection.controls, CHOSEN),
        *((found.name_of(layer), layer.score, layer.controls, "; ".join(layer.warnings))
          for layer in found.layers),
    ]  # fmt: skip
    whole = [
        Measured(
            name=name,
            metric=found.metric,
            score=score,
            method=found.kind,
            controls={
                control: Against(
                    one.score, tuple(repetition(name, control, at) for at in range(len(one.scored)))
                )
                for control, one in controls.items()
            },
            baselines=baselines,
            units=UNITS,
            series=name,
            note=note,
        )
        for name, score, controls, note in results
    ]
    return [whole[0], *_of_targets(found), *whole[1:]]


def _of_targets(found: "ProbeResults") -> list[Measured]:
    """Return each of several targets alone, at the choice that was made for all."""
    from sonde.probes.of_targets import of_targets
    from sonde.probes.per_unit import SELECTED, repetition, target_series

    scores, results = found.by_target, list[Measured]()
    for one in of_targets(found):
        name = target_series(SELECTED, one.name)
        controls = {
            control: tuple(repetition(name, control, at) for at in range(len(several)))
            for control, several in one.controls.items()
        }
        results.append(
            Measured(
                name=name,
                metric=found.metric,
                score=scores[one.name],
                method=found.kind,
                controls={
                    control: Against(_mean(one.controls[control], found), series)
                    for control, series in controls.items()
                },
                baselines={
                    it: Against(_mean([scored], found), (target_series(it, one.name),))
                    for it, scored in one.baselines.items()
                },
                units=UNITS,
                series=name,
                note=CHOSEN,
            )
        )
    return results


def _mean(scored: "Sequence[Scored]", found: "ProbeResults") -> Interval:
    from sonde.probes.scored import mean_interval
    from sonde.stats.metrics import METRICS

    return mean_interval(scored, METRICS[found.metric], found.settings.bootstrap)
