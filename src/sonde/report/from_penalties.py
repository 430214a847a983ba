"""The map of scores by layer and penalty from a sweep of probes."""

from dataclasses import replace
from typing import TYPE_CHECKING

from sonde.report.from_results import METRIC_NAMES, Results, several_results
from sonde.report.sections.penalty_map import PenaltyMap

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.probes.results import LayerResult, ProbeResults


def penalties_from(results: Results) -> tuple[PenaltyMap, ...]:
    """Map every sweep over two penalties or more; one map for each of its sites and positions.

    Of several, each has its name in the title.
    """
    found = tuple(
        _map(name, one, place, layers)
        for name, one in several_results(results)
        for place, layers in _places(one).items()
        if len({penalty for layer in layers for penalty, _ in layer.by_penalty}) > 1
    )
    if len(found) < 2:
        return found
    return tuple(replace(one, title=f"{one.title}: {one.name}") for one in found)


def _places(one: "ProbeResults") -> "dict[str, list[LayerResult]]":
    """Split the layers by site and position; the key says what differs."""
    sites = {str(layer.hook.site) for layer in one.layers}
    positions = {layer.position for layer in one.layers}
    found: dict[str, list[LayerResult]] = {}
    for layer in one.layers:
        words = [str(layer.hook.site)] * (len(sites) > 1) + [layer.position] * (len(positions) > 1)
        found.setdefault(" ".join(words), []).append(layer)
    return found


def _map(name: str, one: "ProbeResults", place: str, layers: "list[LayerResult]") -> PenaltyMap:
    ordered = sorted(layers, key=lambda layer: layer.hook.layer)
    scores = [dict(layer.by_penalty) for layer in ordered]
    penalties = sorted({penalty for found in scores for penalty in found})
    return PenaltyMap(
        layers=tuple(layer.hook.layer for layer in ordered),
        penalties=tuple(penalties),
        scores=tuple(tuple(found.get(penalty) for found in scores) for penalty in penalties),
        metric=METRIC_NAMES.get(one.metric, one.metric),
        name=f"{name} {place}".strip(),
    )
