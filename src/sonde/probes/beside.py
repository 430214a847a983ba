"""Two models' probes side by side: the difference at each depth, on the same items."""

from dataclasses import dataclass, replace

import numpy as np

from sonde.core.errors import SondeError
from sonde.probes.results import LayerResult, ProbeResults
from sonde.probes.scored import Scored
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.effects import Effect, difference
from sonde.stats.scores import Scores


@dataclass(frozen=True, slots=True, eq=False)
class AtDepth:
    """Two layers at about the same depth, and the score of the first less that of the second.

    ``depth`` is the first's layer as a fraction of its model's, the design's f of
    floor(f * n_layers); NaN where the models' depths are unknown.
    """

    depth: float
    first: LayerResult
    second: LayerResult
    difference: Effect


@dataclass(frozen=True, slots=True, eq=False)
class SideBySide:
    """Two sweeps on the same labels. ``selected`` compares the scores of choosing.

    ``shared`` counts the independent units that both were scored on; ``only_first`` and
    ``only_second`` those that one alone was.
    """

    metric: str
    layers: tuple[AtDepth, ...]
    selected: Effect
    shared: int
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether both were fitted and scored on the same units."""
        return not self.only_first and not self.only_second

    def __str__(self) -> str:
        alone = f"{len(self.only_first):,} of the first alone, {len(self.only_second):,} of the "
        lines = [
            f"{self.metric} of the first less that of the second, {self.shared:,} units shared"
            + (":" if self.equal else f" ({alone}second):")
        ]
        lines += [
            f"  {one.first.hook} and {one.second.hook} {one.first.position}: "
            f"{one.first.score.value:.3f} and {one.second.score.value:.3f}, "
            f"{one.difference.interval} {one.difference.design}"
            for one in self.layers
        ]
        chosen = self.selected
        return "\n".join([*lines, f"  selected: {chosen.interval} {chosen.design}"])


def side_by_side(
    first: ProbeResults, second: ProbeResults, bootstrap: Bootstrap | None = None
) -> SideBySide:
    """Compare two sweeps by the same metric, depth by depth.

    Each layer of the first is paired with the second's layer at the same site and position whose
    fraction of its model's depth is nearest; where a depth is unknown, layers are paired in order.
    Differences are taken over units and paired where the units are the same: fit both on the
    examples that both have (``sonde.activations.subset.in_common``), or the larger sample helps
    one of them.

    Raises:
        SondeError: the metrics differ, or no layer of one has a partner in the other.
    """
    if first.metric != second.metric:
        raise SondeError(
            f"One sweep is scored by {first.metric}, the other by {second.metric}.",
            fix="Choose the same metric for both.",
        )
    chosen = bootstrap or first.settings.bootstrap
    layers = tuple(
        AtDepth(
            _depth(one),
            one,
            other,
            difference(*_told_apart((one.scored, other.scored), (first, second)), chosen),
        )
        for one, other in _partners(first, second)
    )
    if not layers:
        raise SondeError(
            "No layer of one model has a partner in the other.",
            fix="Extract both at the same site and position; where the activations do not know "
            "their model's depth, at equally many layers.",
        )
    units, others = (
        np.unique(it.unit)
        for it in _told_apart((first.selection.scored, second.selection.scored), (first, second))
    )
    return SideBySide(
        metric=first.metric,
        layers=layers,
        selected=difference(
            *_told_apart((first.selection.scored, second.selection.scored), (first, second)),
            chosen,
        ),
        shared=len(np.intersect1d(units, others)),
        only_first=tuple(np.setdiff1d(units, others).tolist()),
        only_second=tuple(np.setdiff1d(others, units).tolist()),
    )


def _told_apart(
    scored: tuple[Scored, Scored], results: tuple[ProbeResults, ProbeResults]
) -> tuple[Scores, Scores]:
    """Return the scores; numbered units of data that are known to differ are not the same units."""
    data = [it.layers[0].probe.origin.data_fingerprint for it in results]
    scores = [one.scores(results[0].metric) for one in scored]
    if all(data) and data[0] != data[1]:
        scores = [
            replace(one, unit=np.array([f"{name} {unit}" if unit.isdecimal() else unit
                                        for unit in one.unit.tolist()]))
            for one, name in zip(scores, data, strict=True)
        ]  # fmt: skip
    return scores[0], scores[1]


def _partners(first: ProbeResults, second: ProbeResults) -> list[tuple[LayerResult, LayerResult]]:
    """Pair layers of one site and position by depth."""
    pairs: list[tuple[LayerResult, LayerResult]] = []
    for site, position in dict.fromkeys((it.hook.site, it.position) for it in first.layers):
        mine, theirs = (
            [it for it in results.layers if (it.hook.site, it.position) == (site, position)]
            for results in (first, second)
        )
        depths = np.array([_depth(it) for it in theirs])
        if not theirs:
            continue
        if np.isnan([_depth(it) for it in mine]).any() or np.isnan(depths).any():
            pairs += zip(mine, theirs, strict=True) if len(mine) == len(theirs) else []
        else:
            pairs += [(it, theirs[int(np.abs(depths - _depth(it)).argmin())]) for it in mine]
    return pairs


def _depth(layer: LayerResult) -> float:
    n_layers = layer.probe.origin.n_layers
    return layer.hook.layer / n_layers if n_layers else float("nan")
