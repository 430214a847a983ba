"""Scores by layer and penalty: where the best ones lie, and how much the penalty matters."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from sonde.core.errors import SondeError
from sonde.core.words import power
from sonde.report.sections.penalty_map_chart import chart_of
from sonde.report.wording import count, figure, listed

NEAR = 0.01  # scores that close are alike


@dataclass(frozen=True, slots=True)
class PenaltyMap:
    """Cross-validated scores, ``[penalty][layer]``; None where there is none.

    ``penalties`` rise. ``name`` is the probe's.
    """

    layers: tuple[int, ...]
    penalties: tuple[float, ...]
    scores: tuple[tuple[float | None, ...], ...]
    metric: str = "AUROC"
    name: str = ""
    title: str = "Layer by penalty"
    kind: ClassVar[str] = "penalty_map"

    def __post_init__(self) -> None:
        shape = (len(self.penalties), {len(row) for row in self.scores})
        if not self.layers or shape != (len(self.scores), {len(self.layers)}):
            raise SondeError(
                f"The scores of {self.title!r} have {len(self.scores)} rows of "
                f"{sorted({len(row) for row in self.scores})} numbers for {len(self.penalties)} "
                f"penalties and {len(self.layers)} layers.",
                fix="Give [penalty][layer], None where there is no score.",
            )
        if list(self.penalties) != sorted(set(self.penalties)):
            raise SondeError(f"The penalties {self.penalties} are not in rising order.")

    def best_at(self, layer: int) -> int | None:
        """The index of the best penalty at the ``layer``-th layer; the strongest of equals."""
        known = {
            index: value
            for index, row in enumerate(self.scores)
            if (value := row[layer]) is not None and math.isfinite(value)
        }
        return max(known, key=lambda index: (known[index], index), default=None)

    def score(self, layer: int, penalty: int) -> float:
        """Return a score that is known; NaN where there is none."""
        value = self.scores[penalty][layer]
        return math.nan if value is None else value

    @property
    def best(self) -> tuple[int, int] | None:
        """The indices of the layer and penalty with the highest score."""
        found = [
            (at, best) for at in range(len(self.layers)) if (best := self.best_at(at)) is not None
        ]
        return max(found, key=lambda place: self.score(*place), default=None)


def prepare(section: PenaltyMap) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "sentence": sentence(section),
        "chart": chart_of(section),
        "ends": _ends(section),
        "header": ["Penalty", *(f"Block {layer}" for layer in section.layers)],
        "rows": [
            [power(penalty), *(figure(value, 3) for value in row)]
            for penalty, row in zip(section.penalties, section.scores, strict=True)
        ],
    }


def sentence(section: PenaltyMap) -> str:
    """Say where the best score is, how wide its plateau, and how often the grid's edge is best."""
    best = section.best
    if best is None:
        return "No penalty gave a finite score at any block."
    layer, penalty = best
    top = section.score(layer, penalty)
    said = (
        f"{section.metric} is highest at block {section.layers[layer]} with a penalty of "
        f"{power(section.penalties[penalty])}, {figure(top)}; {_plateau(section, layer, top)}"
    )
    edges = _edges(section)
    return f"{said}. {edges}" if edges else f"{said}."


def _plateau(section: PenaltyMap, layer: int, top: float) -> str:
    alike = [
        value
        for index, value in enumerate(section.penalties)
        if section.score(layer, index) >= top - NEAR
    ]
    if len(alike) == len(section.penalties):
        return f"there all {count(len(alike))} penalties are within {figure(NEAR)} of it"
    if len(alike) == 1:
        return f"there no other penalty is within {figure(NEAR)} of it"
    whole = section.penalties.index(alike[-1]) - section.penalties.index(alike[0]) + 1
    if whole == len(alike):
        return f"there {power(alike[0])} to {power(alike[-1])} are within {figure(NEAR)} of it"
    return f"there {listed([power(value) for value in alike])} are within {figure(NEAR)} of it"


def _edges(section: PenaltyMap) -> str:
    """Name the edges of the grid that are best at some layers, strictly so."""
    said: list[str] = []
    for at, word, inner in ((0, "smallest", 1), (len(section.penalties) - 1, "largest", -2)):
        if len(section.penalties) < 2:
            break
        layers = [
            layer
            for layer in range(len(section.layers))
            if section.best_at(layer) == at
            and section.score(layer, at) > section.score(layer, inner % len(section.penalties))
        ]
        if layers:
            said.append(
                f"The {word} penalty, {power(section.penalties[at])}, is best at "
                f"{count(len(layers))} of {count(len(section.layers))} blocks: the grid may end "
                "too early."
            )
    return " ".join(said)


def _ends(section: PenaltyMap) -> tuple[str, str]:
    known = [value for row in section.scores for value in row if value is not None]
    finite = [value for value in known if math.isfinite(value)]
    return (figure(min(finite)), figure(max(finite))) if finite else ("–", "–")
