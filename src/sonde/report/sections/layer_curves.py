"""Scores by layer: intervals, controls, baselines and chance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sonde.core.errors import SondeError
from sonde.probes.names import in_order
from sonde.report.sections.layer_curves_chart import chart_of
from sonde.report.wording import absences, interval_text
from sonde.stats.interval import Interval

COLOURS = 6
NONE = "none"

Series = tuple[Interval | None, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """One probe's scores, an entry a layer, and what they are held against, by name.

    ``controls`` have an entry a layer too, ``baselines`` one for all layers. ``selected`` is the
    score when the layer is chosen inside the training folds: what to expect of the choice, and
    ``selected_controls`` the same choice in the controls. ``missing`` gives the reason for each
    control or baseline that should be there and is not.
    """

    name: str
    scores: Series
    controls: Mapping[str, Series] = field(default_factory=dict[str, Series])
    baselines: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    selected: Interval | None = None
    selected_controls: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    missing: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def best(self) -> int | None:
        """The index of the highest score, None where no score is finite."""
        known = {
            index: score.value
            for index, score in enumerate(self.scores)
            if score is not None and math.isfinite(score.value)
        }
        return max(known, key=lambda index: known[index], default=None)

    def against(self, layer: int | None) -> dict[str, Interval]:
        """Return what the score of a layer, or of the choice (None), is held against."""
        controls = (
            self.selected_controls
            if layer is None
            else {name: series[layer] for name, series in self.controls.items()}
        )
        both = {**controls, **self.baselines}
        return {name: score for name in in_order(both) if (score := both[name]) is not None}


@dataclass(frozen=True, slots=True)
class LayerCurves:
    """The curves of one or more probes over the same layers; ``chance`` draws a line."""

    layers: tuple[int, ...]
    curves: tuple[Curve, ...]
    metric: str = "AUROC"
    chance: float | None = 0.5
    title: str = "Layer by layer"
    note: str = ""
    kind: ClassVar[str] = "layer_curves"

    def __post_init__(self) -> None:
        if not self.layers or not self.curves:
            raise SondeError("Layer curves need at least one layer and one curve.")
        if len(self.curves) > COLOURS:
            raise SondeError(
                f"{len(self.curves)} curves cannot be told apart in one chart.",
                fix=f"Show {COLOURS} at most, or make a second section.",
            )
        if list(self.layers) != sorted(set(self.layers)):
            raise SondeError(f"The layers {self.layers} are not in rising order.")
        for curve in self.curves:
            series = {"scores": curve.scores, **curve.controls}
            wrong = {name: len(one) for name, one in series.items() if len(one) != len(self.layers)}
            if wrong:
                name, length = next(iter(wrong.items()))
                raise SondeError(
                    f"The curve {curve.name!r} has {length} entries of {name} for "
                    f"{len(self.layers)} layers.",
                    fix="Give one entry a layer, None where there is none.",
                )


def prepare(section: LayerCurves) -> dict[str, Any]:
    """Return what the template shows."""
    beside = in_order({name for curve in section.curves for name in _beside(curve)})
    controls = {name for curve in section.curves for name in curve.controls}
    return {
        "chart": chart_of(section),
        "legend": [(f"s{index}", curve.name) for index, curve in enumerate(section.curves)],
        "beside": [(name, _style(name, name in controls)) for name in beside],
        "header": _header(section),
        "rows": _rows(section),
        "columns": beside,
        "summaries": [row for curve in section.curves for row in _summary(section, curve, beside)],
        "absences": _absences(section),
        "levels": _level(section),
    }


def _beside(curve: Curve) -> set[str]:
    return {*curve.controls, *curve.selected_controls, *curve.baselines}


def _style(name: str, control: bool) -> str:
    return f"{'control' if control else 'base'} {name.replace(' ', '-')}"


def _summary(section: LayerCurves, curve: Curve, beside: list[str]) -> list[dict[str, Any]]:
    """Return a line for the best layer and one for the choice, each with what it is held against.

    What belongs to the data alone, such as a baseline, is the same in both.
    """
    best = curve.best
    lines: list[tuple[str, Interval | None, dict[str, Interval]]] = []
    if best is None:
        lines.append(("best: none", None, {}))
    else:
        said = f"best block {section.layers[best]}"
        lines.append((said, curve.scores[best], curve.against(best)))
    if curve.selected is not None:
        lines.append(("layer chosen in training", curve.selected, curve.against(None)))
    return [
        {
            "name": curve.name,
            "which": which,
            "score": interval_text(score, 3),
            "against": [
                (name, interval_text(against[name], 3) if name in against else NONE)
                for name in beside
            ],
            "n": f"{score.n:,}" if score else "",
        }
        for which, score, against in lines
    ]


def _absences(section: LayerCurves) -> list[str]:
    """Say what is missing, of which curve where not all lack it."""
    said: dict[str, list[str]] = {}
    for curve in section.curves:
        for sentence in absences(curve.missing):
            said.setdefault(sentence, []).append(curve.name)
    every = len(section.curves)
    return [
        sentence
        if len(names) == every
        else f"{', '.join(names)}: {sentence[0].lower()}{sentence[1:]}"
        for sentence, names in said.items()
    ]


def _level(section: LayerCurves) -> str:
    known = [score for curve in section.curves for score in curve.scores if score is not None]
    return f"{100 * known[0].level:g} %" if known else "95 %"


def _header(section: LayerCurves) -> list[str]:
    header = ["Block"]
    for curve in section.curves:
        header.append(curve.name)
        header += [f"{curve.name}, {name}" for name in in_order(curve.controls)]
    return header


def _rows(section: LayerCurves) -> list[list[str]]:
    rows: list[list[str]] = []
    for index, layer in enumerate(section.layers):
        row = [str(layer)]
        for curve in section.curves:
            row.append(interval_text(curve.scores[index], 3))
            row += [
                interval_text(curve.controls[name][index], 3) for name in in_order(curve.controls)
            ]
        rows.append(row)
    return rows
