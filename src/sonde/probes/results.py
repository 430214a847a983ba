"""What a sweep of probes found, with its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonde.core.errors import SondeError, nearest
from sonde.core.hooks import HookPoint
from sonde.data.accounting import JoinReport
from sonde.probes.baseline import Baseline
from sonde.probes.cautions import Caution, cautions
from sonde.probes.layer_result import LayerResult, Selection, confusion_of
from sonde.probes.names import BAG, BASELINES, CURRENT
from sonde.probes.probe import Probe
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.swept import FailedLayer
from sonde.stats.confusion import Confusion
from sonde.stats.effects import interval_of
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS


@dataclass(frozen=True, slots=True, eq=False)
class ProbeResults:
    """Probes at every hook point and position, with controls, baselines and the score of choosing.

    ``n`` counts independent units (groups, or examples where there are none), ``n_rows`` rows.
    ``missing`` says of each control and baseline that there should be, but is not, why.
    """

    kind: str
    metric: str
    layers: tuple[LayerResult, ...]
    selection: Selection
    baselines: Mapping[str, Baseline]
    missing: Mapping[str, str]
    join: JoinReport
    n: int
    n_rows: int
    labels: tuple[str, ...]
    settings: AnyProbeSettings
    failed: tuple[FailedLayer, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def chance(self) -> float:
        """What a guess scores: of accuracies the largest class's share, of recalls 1 / classes."""
        if self.metric not in ("accuracy", "class_accuracy", "macro_recall"):
            return METRICS[self.metric].chance
        _, rows = np.unique(self.selection.scored.truth, return_counts=True)
        if self.metric == "macro_recall":
            return 1 / len(rows)
        return float(rows.max() / rows.sum())

    @property
    def selected(self) -> Interval:
        """The score of the choice, measured outside the folds that chose."""
        return self.selection.score

    @property
    def selected_hooks(self) -> tuple[HookPoint, ...]:
        """The hook point that each outer fold's training rows chose."""
        return self.selection.hooks

    @property
    def baseline(self) -> Interval | None:
        """The score of the bag of tokens (of the current token in a token task), None without."""
        there = [name for name in (BAG, CURRENT) if name in self.baselines]
        return self.baselines[there[0]].score if there else None

    @property
    def several_targets(self) -> bool:
        """Whether several numbers are predicted together; ``labels`` are then their names."""
        return self.settings.says == "number" and self.layers[0].probe.n_outputs > 1

    @property
    def by_target(self) -> Mapping[str, Interval]:
        """The score of each target at the choice, where several numbers are predicted together."""
        from sonde.probes.of_targets import of_targets

        return {
            one.name: interval_of(one.scored.scores(self.metric), self.settings.bootstrap)
            for one in of_targets(self)
        }

    @property
    def confusion(self) -> Confusion | None:
        """The rows of ``selection`` by true and predicted class; None where numbers were fitted."""
        return confusion_of(self.selection.scored, self.settings.says, self.labels)

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """What limits the conclusion: a baseline at the ceiling, a probe with a single answer."""
        return cautions(self)

    @property
    def best_layer(self) -> LayerResult:
        """The layer with the highest score. That score flatters it: quote ``selected``."""
        values = [layer.score.value for layer in self.layers]
        return self.layers[int(np.where(np.isnan(values), -np.inf, values).argmax())]

    @property
    def best(self) -> Probe:
        """The probe of the layer with the highest score, fitted on all rows."""
        return self.best_layer.probe

    def at(self, hook: HookPoint | str, position: str | None = None) -> LayerResult:
        """Return the result at a hook point (and position, where there are several).

        Raises:
            SondeError: there is none, or several positions and none named.
        """
        found = [
            layer
            for layer in self.layers
            if str(layer.hook) == str(hook) and position in (None, layer.position)
        ]
        if len(found) == 1:
            return found[0]
        hooks = sorted({str(layer.hook) for layer in self.layers})
        places = ", ".join(dict.fromkeys(layer.position for layer in self.layers))
        raise SondeError(
            f"There are {len(found)} results at {hook}"
            f"{f' and {position}' if position else ''}.{nearest(str(hook), hooks)}",
            fix=f"Hook points are {hooks[0]} to {hooks[-1]}; positions are {places}.",
        )

    def name_of(self, layer: LayerResult) -> str:
        """Return the name of a layer's result: its hook point, and position if there are several.

        Tables, gates, the ledger and the file of unit scores use it.
        """
        several = len({one.position for one in self.layers}) > 1
        return f"{layer.hook} {layer.position}" if several else str(layer.hook)

    def table(self) -> list[dict[str, object]]:
        """Return one row a layer, ready for a terminal, a report or a data frame."""
        return [
            {
                "hook": str(layer.hook),
                "layer": layer.hook.layer,
                "position": layer.position,
                self.metric: layer.score.value,
                "low": layer.score.low,
                "high": layer.score.high,
                **{name: control.score.value for name, control in layer.controls.items()},
                **{name: it.value for name, it in layer.metrics.items() if name != self.metric},
                "penalty": layer.penalty,
                "n": layer.score.n,
                "warnings": "; ".join(layer.warnings),
            }
            for layer in self.layers
        ]

    def __str__(self) -> str:
        best = self.best_layer
        beside = {**self.selection.controls, **self.baselines}
        lines = [
            str(self.join),
            f"{self.kind}, {self.metric} over {self.n} units in {self.n_rows} rows:",
            f"  best      {best.score}  at {best.hook} {best.position}",
            f"  selected  {self.selected}  (layer and penalty chosen in the training folds)",
            *(f"  of        {score}  {name}" for name, score in self.by_target.items()),
            *(f"  against   {one.score}  {name}" for name, one in beside.items()),
            *(f"  against   {self.absence(name)}" for name in self.missing),
            *(f"  failed    {it.hook} {it.position}: {it.reason}" for it in self.failed),
            *(f"  caution   {caution}" for caution in self.cautions),
            *(f"  note      {text}" for text in self.warnings),
        ]
        return "\n".join(lines)

    def absence(self, name: str) -> str:
        """Say that a control or baseline is not there, and why."""
        what = "baseline" if name in BASELINES else "control"
        return f"{name}: no {what} ({self.missing[name]})"

    def save(self, folder: str | Path) -> Path:
        """Write results.json, probes/*.safetensors and out_of_fold.parquet into a folder."""
        from sonde.probes.results_folder import save_results

        return save_results(self, Path(folder))

    @staticmethod
    def load(folder: str | Path) -> "ProbeResults":
        """Read what ``save`` wrote.

        Raises:
            SondeError: a file is missing or altered.
        """
        from sonde.probes.results_folder import load_results

        return load_results(Path(folder))
