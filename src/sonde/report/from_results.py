"""Sections from a sweep of probes: curves, accounting and warnings."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from sonde.core.errors import SondeError
from sonde.report.sections import (
    Accounting,
    Curve,
    LayerCurves,
    Loss,
    Notice,
    Notices,
    Step,
)
from sonde.report.wording import counted, figure, interval_text, listed
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.activations.activations import Skipped
    from sonde.data.accounting import JoinReport
    from sonde.probes.results import LayerResult, ProbeResults

# One sweep, several, or several under names of the caller's own.
Results: TypeAlias = "ProbeResults | Sequence[ProbeResults] | Mapping[str, ProbeResults]"

METRIC_NAMES = {
    "auroc": "AUROC",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "r2": "R²",
    "pearson": "Pearson’s r",
}


def curves_from(results: Results, *, note: str = "") -> LayerCurves:
    """Draw one curve for each of the results, site and position.

    Results without names of their own are called by their kind. Layers that one of them lacks, or
    that failed, are gaps.

    Raises:
        SondeError: the results have different metrics, which cannot share an axis.
    """
    named_results = _several(results)
    several = [one for _, one in named_results]
    metrics = list(dict.fromkeys(one.metric for one in several))
    if len(metrics) != 1:
        raise SondeError(
            f"Results in {listed(metrics) or 'no metric'} cannot share one chart.",
            fix="Give the results of one metric a section of their own.",
        )
    layers = tuple(sorted({layer.hook.layer for one in several for layer in one.layers}))
    curves = [
        _curve(one, series, layers, name)
        for one, named in zip(several, _names(named_results), strict=True)
        for name, series in named
    ]
    metric = metrics[0]
    return LayerCurves(
        layers=layers,
        curves=tuple(curves),
        metric=METRIC_NAMES.get(metric, metric),
        chance=METRICS[metric].chance,
        note=note,
    )


def _several(results: Results) -> "list[tuple[str, ProbeResults]]":
    """Return results with their names; the kind is the name where none was given."""
    if isinstance(results, Mapping):
        return list(results.items())
    many = results if isinstance(results, Sequence) else (results,)
    return [(one.kind.replace("_", " "), one) for one in many]


def _names(
    several: "Sequence[tuple[str, ProbeResults]]",
) -> "list[list[tuple[str, list[LayerResult]]]]":
    """Split by site and position, and name by what differs only."""
    split: "list[list[tuple[tuple[str, str, str], list[LayerResult]]]]" = []
    for name, one in several:
        groups: "dict[tuple[str, str, str], list[LayerResult]]" = {}
        for layer in one.layers:
            key = (name, str(layer.hook.site), layer.position)
            groups.setdefault(key, []).append(layer)
        split.append(list(groups.items()))
    keys = [key for groups in split for key, _ in groups]
    telling = [len({key[part] for key in keys}) > 1 or part == 0 for part in range(3)]
    return [
        [
            (" ".join(word for word, tells in zip(key, telling, strict=True) if tells), series)
            for key, series in groups
        ]
        for groups in split
    ]


def _curve(
    one: "ProbeResults", series: Sequence["LayerResult"], layers: Sequence[int], name: str
) -> Curve:
    by_layer = {layer.hook.layer: layer for layer in series}
    # The choice was among all of the result's places, so it belongs to a curve that holds them all.
    whole = len(series) == len(one.layers)
    return Curve(
        name,
        tuple(by_layer[at].score if at in by_layer else None for at in layers),
        tuple(by_layer[at].control if at in by_layer else None for at in layers),
        one.baseline,
        one.selected if whole else None,
        one.selection.control if whole else None,
    )


def accounting_from(
    join: "JoinReport",
    *,
    read: int,
    unread: Mapping[str, int] | None = None,
    skipped: Sequence["Skipped"] = (),
    tokens: int | None = None,
    padding: float | None = None,
) -> Accounting:
    """Follow the examples from reading over extraction to the join with labels.

    ``read`` counts the examples that were read, ``unread`` by reason the rows of the file that
    became none, ``skipped`` those that extraction left out.

    Raises:
        SondeError: the counts do not add up.
    """
    losses: dict[str, list[str]] = {}
    for item in skipped:
        losses.setdefault(item.reason, []).append(item.example)
    unlabelled = tuple(Loss(reason, len(ids), ids) for reason, ids in join.activations_lost.items())
    # Labels of examples that were never among these are no loss of rows, but worth a line.
    strangers = sum(
        len(ids) for reason, ids in join.labels_lost.items() if reason == "never extracted"
    )
    lost = tuple(Loss(reason, number) for reason, number in (unread or {}).items())
    first = (Step("rows of the file", read + sum(loss.number for loss in lost)),) if lost else ()
    return Accounting(
        (
            *first,
            Step("read", read, lost),
            Step(
                "extracted",
                join.activations,
                tuple(Loss(reason, len(ids), tuple(ids)) for reason, ids in losses.items()),
            ),
            Step("joined with labels", join.matched, unlabelled),
        ),
        tokens=tokens,
        padding=padding,
        facts=(("Labels without activations", f"{strangers:,}"),) if strangers else (),
    )


def notices_from(results: Results, more: Sequence[Notice] = ()) -> Notices:
    """Collect warnings: layers that failed, controls that do too well, penalties at the edge."""
    found = list(more)
    for given, one in _several(results):
        name = given[:1].upper() + given[1:]
        found += [Notice(f"{name}: {warning}", level="note") for warning in one.warnings]
        found += _failed(one, name)
        found += _controls(one, name)
        found += _by_layer(one, name)
        if one.baseline is None and one.settings.baseline:
            found.append(
                Notice(
                    f"{name}: there is no bag-of-tokens baseline.",
                    "Give the examples themselves as labels, so that their words are known.",
                )
            )
    return Notices(tuple(dict.fromkeys(found)))


def _failed(one: "ProbeResults", name: str) -> list[Notice]:
    reasons: dict[str, list[int]] = {}
    for item in one.failed:
        reasons.setdefault(item.reason, []).append(item.hook.layer)
    return [
        Notice(f"{name}: {_blocks(layers)} could not be probed.", reason, "problem")
        for reason, layers in reasons.items()
    ]


def _controls(one: "ProbeResults", name: str) -> list[Notice]:
    """Report shuffled labels that are told apart from chance, which nothing should let them be.

    One interval in twenty misses by luck, so more than that, and at least two, are needed.
    """
    chance = METRICS[one.metric].chance
    high = [layer for layer in one.layers if layer.control.low > chance]
    if len(high) >= 2 and len(high) > 0.1 * len(one.layers):
        worst = max(high, key=lambda layer: layer.control.value)
        return [
            Notice(
                f"{name}: shuffled labels score above chance at {_blocks(_layers(high))}, "
                f"up to {interval_text(worst.control)}.",
                "The folds may share something; check the groups.",
                "problem" if _exceeds(worst.control, one.selected) else "caution",
            )
        ]
    return []


def _exceeds(control: Interval, score: Interval) -> bool:
    return math.isfinite(score.low) and control.high >= score.low


def _by_layer(one: "ProbeResults", name: str) -> list[Notice]:
    by_text: dict[str, list[int]] = {}
    for layer in one.layers:
        for warning in layer.warnings:
            by_text.setdefault(warning, []).append(layer.hook.layer)
        if not math.isfinite(layer.score.value):
            said = f"the score is not finite ({figure(layer.score.value)})"
            by_text.setdefault(said, []).append(layer.hook.layer)
    return [
        Notice(
            f"{name}, {_blocks(layers)}: {text}.", level="caution" if "penalty," in text else "note"
        )
        for text, layers in by_text.items()
    ]


def _layers(found: Sequence["LayerResult"]) -> list[int]:
    return [layer.hook.layer for layer in found]


def _blocks(layers: Sequence[int]) -> str:
    """Write runs of layers shortly: ``blocks 0–3 and 29``."""
    runs: list[list[int]] = []
    for layer in sorted(set(layers)):
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    texts = [f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    if len(texts) > 6:
        return counted(len(set(layers)), "block")
    return f"{'block' if len(set(layers)) == 1 else 'blocks'} {listed(texts)}"
