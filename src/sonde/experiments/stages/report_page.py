"""From finished stages to the sections of a report."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sonde.activations.massive_report import MassiveDimension, MassiveDimensions
from sonde.experiments.hardware import package_versions
from sonde.experiments.stage import Context, Finished
from sonde.experiments.stages.report_tokens import token_view
from sonde.report import (
    Accounting,
    Coordinate,
    Curve,
    LayerCurves,
    Loss,
    MassiveView,
    Notice,
    Notices,
    Provenance,
    Report,
    Section,
    Sink,
    Step,
    answer_from,
)

if TYPE_CHECKING:
    from sonde.probes.results import LayerResult, ProbeResults

METRICS = {"auroc": "AUROC", "balanced_accuracy": "balanced accuracy", "r2": "R²", "pearson": "r"}
CHANCE = {"auroc": 0.5, "balanced_accuracy": 0.5, "r2": 0.0, "pearson": 0.0}
NAMED_IDS = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page is made of: the stages by name, and which of them are shown."""

    context: Context
    there: Mapping[str, Finished]
    probes: tuple[str, ...]
    massive: str | None
    tokens: str | None

    def setting(self, stage: str, name: str) -> Any:
        """Return a setting of a stage."""
        return getattr(self.there[stage].stage, name)


def report_of(shown: Shown, title: str) -> Report:
    """Gather everything that the stages have to show."""
    found = {name: shown.there[name].open() for name in shown.probes}
    curves = _curves(found)
    first = next(iter(found.values()), None)
    sections: list[Section] = [Notices(_notices(found))] if _notices(found) else []
    sections += [_accounting(shown, name, one) for name, one in list(found.items())[:1]]
    sections += curves
    if shown.massive is not None:
        sections.append(_massive(shown, first))
    if shown.tokens is not None and first is not None:
        sections.append(token_view(shown.there[shown.tokens], first))
    sections += _provenance(shown)
    experiment = shown.context.experiment
    return Report(
        title=title or str(experiment["name"]),
        question=str(experiment["question"]),
        sections=tuple(sections),
        answer=answer_from(curves[0]) if curves else None,
        facts=_facts(shown, first),
    )


def _facts(shown: Shown, first: "ProbeResults | None") -> tuple[tuple[str, str], ...]:
    if first is None:
        return ()
    origin = first.best.origin
    variant = str(shown.context.experiment["variant"])
    return (
        ("Model", origin.model),
        ("Read at", first.best.position),
        ("Units", f"{first.n:,} ({first.n_rows:,} rows)"),
        *((("Variant", variant),) if variant else ()),
    )


def _notices(found: "Mapping[str, ProbeResults]") -> tuple[Notice, ...]:
    notices: list[Notice] = []
    for name, results in found.items():
        notices += [Notice(f"{name}: {warning}", level="note") for warning in results.warnings]
        lost = results.join.labels - results.join.matched
        if lost:
            notices.append(Notice(f"{name}: {lost:,} labels did not join.", str(results.join)))
        notices += [
            Notice(f"{name}: {one.hook} at {one.position} could not be probed.", one.reason)
            for one in results.failed
        ]
    return tuple(dict.fromkeys(notices))


def _accounting(shown: Shown, name: str, results: "ProbeResults") -> Accounting:
    """Follow the labelled examples from the file to the probe."""
    read = shown.there[shown.setting(name, "labels")].summary
    skipped: Mapping[str, int] = read["skipped"]
    join = results.join
    steps = [
        Step("read from the data", read["n"] + sum(skipped.values())),
        Step("examples", read["n"], tuple(Loss(*item) for item in skipped.items())),
    ]
    if read["n"] > join.labels:
        steps.append(
            Step("with a label", join.labels, (Loss("no label", read["n"] - join.labels),))
        )
    losses = tuple(
        Loss(reason, len(ids), tuple(ids[:NAMED_IDS])) for reason, ids in join.labels_lost.items()
    )
    steps.append(Step("joined with activations", join.matched, losses))
    return Accounting(tuple(steps))


def _curves(found: "Mapping[str, ProbeResults]") -> list[LayerCurves]:
    """Draw probes of one metric together; each site and position is a curve of its own."""
    by_metric: dict[str, list[tuple[str, ProbeResults, list[LayerResult]]]] = {}
    for name, results in found.items():
        places: dict[tuple[str, str], list[LayerResult]] = {}
        for layer in results.layers:
            places.setdefault((str(layer.hook.site), layer.position), []).append(layer)
        for (site, position), layers in places.items():
            said = name if len(places) == 1 else f"{name} {site} {position}"
            by_metric.setdefault(results.metric, []).append((said, results, layers))
    sections: list[LayerCurves] = []
    for metric, rows in by_metric.items():
        for start in range(0, len(rows), 6):
            sections.append(_section(metric, rows[start : start + 6]))
    return sections


def _section(metric: str, rows: "list[tuple[str, ProbeResults, list[LayerResult]]]") -> LayerCurves:
    layers = tuple(sorted({layer.hook.layer for _, _, found in rows for layer in found}))
    curves: list[Curve] = []
    for name, results, found in rows:
        known = {layer.hook.layer: layer for layer in found}
        is_best = any(layer is results.best_layer for layer in found)
        curves.append(
            Curve(
                name,
                tuple(known[at].score if at in known else None for at in layers),
                tuple(known[at].control if at in known else None for at in layers),
                baseline=results.baseline,
                selected=results.selected if is_best else None,
            )
        )
    return LayerCurves(
        layers, tuple(curves), metric=METRICS.get(metric, metric), chance=CHANCE.get(metric)
    )


def _massive(shown: Shown, probe: "ProbeResults | None") -> MassiveView:
    assert shown.massive is not None
    stage = shown.there[shown.massive]
    found: MassiveDimensions = stage.open()
    n_examples = int(shown.there[shown.setting(shown.massive, "data")].summary["n"])
    layer = probe.best_layer.hook.layer if probe is not None else None
    return MassiveView(
        layers=found.layers,
        coordinates=tuple(
            Coordinate(each.dimension, each.ratios, _where(each)) for each in found.dimensions
        ),
        typical_norm=tuple(norms.typical_norm for norms in found.norms),
        full_norm=tuple(norms.full_norm for norms in found.norms),
        sink_norm=tuple(
            None if norms.sink_ratio is None else norms.sink_ratio * norms.full_norm
            for norms in found.norms
        ),
        sinks=tuple(
            Sink(sink.text, sink.position, min(1.0, sink.count / n_examples), sink.ratio)
            for sink in found.sinks
        ),
        ratio=found.settings.ratio,
        severe=found.settings.severe,
        min_layers=found.settings.min_layers,
        tokens=found.n_tokens - found.n_sinks,
        use_layer=layer if layer in found.layers else None,
    )


def _where(each: MassiveDimension) -> str:
    """Say at which positions a coordinate is large: mean magnitudes at its largest layer."""
    parts = {"first token": each.at_first, "next nine": each.at_early, "later": each.at_later}
    return ", ".join(f"{name} {value:,.1f}" for name, value in parts.items() if value is not None)


def _provenance(shown: Shown) -> list[Section]:
    """Say how the activations of the first probe were made."""
    for name in shown.probes:
        activations = shown.there[shown.setting(name, "activations")]
        origin = activations.open().origin
        experiment = shown.context.experiment
        return [
            Provenance(
                model=origin.model,
                revision=origin.revision,
                fingerprint=origin.model_fingerprint,
                dtype=origin.dtype,
                template=origin.template,
                data=origin.data_fingerprint,
                position=", ".join(origin.positions),
                seed=shown.context.seed,
                versions=tuple(package_versions().items()),
                more=tuple(
                    (f"Stage {other}", finished.key) for other, finished in shown.there.items()
                ),
                command=f"sonde run {experiment['file']}",
            )
        ]
    return []
