"""Sections from a sweep of probes: curves and accounting."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from sonde.core.errors import SondeError
from sonde.report.sections.accounting import Accounting, Loss, Step
from sonde.report.sections.layer_curves import COLOURS, Curve, LayerCurves
from sonde.report.wording import listed
from sonde.stats.interval import Interval

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
    "class_accuracy": "accuracy",
    "macro_recall": "mean recall",
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
    named_results = several_results(results)
    several = [one for _, one in named_results]
    metrics = list(dict.fromkeys(one.metric for one in several))
    if len(metrics) != 1:
        raise SondeError(
            f"Results in {listed(metrics) or 'no metric'} cannot share one chart.",
            fix="Give the results of one metric a section of their own.",
        )
    layers = tuple(sorted({layer.hook.layer for one in several for layer in one.layers}))
    metric = metrics[0]
    return LayerCurves(
        layers=layers,
        curves=_curves(named_results, layers),
        metric=METRIC_NAMES.get(metric, metric),
        chance=max(map(chance_of, several)),
        note=note,
    )


def curves_by_metric(results: Results) -> tuple[LayerCurves, ...]:
    """Draw any number of results: those of one metric together, as many as can be told apart.

    Of several sections each has what it shows in its title.
    """
    found: list[LayerCurves] = []
    named_results = several_results(results)
    metrics = dict.fromkeys(one.metric for _, one in named_results)
    called = [METRIC_NAMES.get(metric, metric) for metric in metrics]
    for metric in metrics:
        some = [(name, one) for name, one in named_results if one.metric == metric]
        layers = tuple(sorted({layer.hook.layer for _, one in some for layer in one.layers}))
        curves = _curves(some, layers)
        pieces = [curves[at : at + COLOURS] for at in range(0, len(curves), COLOURS)]
        shown = METRIC_NAMES.get(metric, metric)
        for piece in pieces:
            ends = dict.fromkeys((piece[0].name, piece[-1].name))
            more = len(pieces) > 1 or called.count(shown) > 1
            words = [shown] * (len(metrics) > 1) + [" to ".join(ends)] * more
            chance = max(chance_of(one) for _, one in some)
            drawn = LayerCurves(layers, piece, metric=shown, chance=chance)
            told = f"{drawn.title}: {', '.join(words)}" if words else drawn.title
            found.append(replace(drawn, title=told))
    return tuple(found)


def _curves(
    named_results: "Sequence[tuple[str, ProbeResults]]", layers: Sequence[int]
) -> tuple[Curve, ...]:
    return tuple(
        _curve(one, series, layers, name)
        for (_, one), named in zip(named_results, _names(named_results), strict=True)
        for name, series in named
    )


def chance_of(one: "ProbeResults") -> float:
    """Return what a guess scores; of accuracy that is the larger class's share."""
    return one.chance


def several_results(results: Results) -> "list[tuple[str, ProbeResults]]":
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
    controls = {control for layer in series for control in layer.controls}
    return Curve(
        name,
        tuple(by_layer[at].score if at in by_layer else None for at in layers),
        {
            control: tuple(_control(by_layer.get(at), control) for at in layers)
            for control in controls
        },
        {baseline: it.score for baseline, it in one.baselines.items()},
        one.selected if whole else None,
        {control: it.score for control, it in one.selection.controls.items()} if whole else {},
        one.missing,
    )


def _control(layer: "LayerResult | None", name: str) -> Interval | None:
    control = None if layer is None else layer.controls.get(name)
    return None if control is None else control.score


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
