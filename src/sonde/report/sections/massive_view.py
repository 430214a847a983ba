"""Massive dimensions: which coordinates, how large by layer, and what they do to norms."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from sonde.core.errors import SondeError
from sonde.report.sections.massive_view_charts import norm_lines, norms_chart, small_chart
from sonde.report.visible import visible
from sonde.report.wording import MISSING, count, counted, listed, magnitude, share

DRAWN = 12  # small charts; the table names every dimension


@dataclass(frozen=True, slots=True)
class Coordinate:
    """One massive dimension: its ratio to the median coordinate, an entry a layer.

    ``where`` says in words at which positions it is large.
    """

    index: int
    ratios: tuple[float | None, ...]
    where: str = ""

    @property
    def peak(self) -> tuple[int, float]:
        """The index of the layer with the largest ratio, and that ratio."""
        known = [(r, at) for at, r in enumerate(self.ratios) if r is not None and math.isfinite(r)]
        ratio, at = max(known, default=(0.0, 0), key=lambda item: item[0])
        return at, ratio


@dataclass(frozen=True, slots=True)
class Sink:
    """A token that attention parks on: its text, its place, and the share of examples with it.

    The share is None where the number of examples is not known. ``ratio`` is the largest ratio at
    any layer of its norm to the median norm.
    """

    token: str
    position: int
    share: float | None
    ratio: float


@dataclass(frozen=True, slots=True)
class MassiveView:
    """The massive dimensions of a model, and its norms with and without them, an entry a layer.

    ``ratio`` and ``severe`` are the limits of the definition, to be reached at ``min_layers``
    layers; ``tokens`` is how many ordinary tokens were measured. ``use_layer`` is the layer that
    the advice speaks about.
    """

    layers: tuple[int, ...]
    coordinates: tuple[Coordinate, ...]
    typical_norm: tuple[float | None, ...]
    full_norm: tuple[float | None, ...]
    sink_norm: tuple[float | None, ...] = ()
    sinks: tuple[Sink, ...] = ()
    ratio: float = 10.0
    severe: float = 100.0
    min_layers: int = 3
    tokens: int | None = None
    use_layer: int | None = None
    title: str = "Massive dimensions and norms"
    kind: ClassVar[str] = "massive_view"

    def __post_init__(self) -> None:
        wanted = len(self.layers)
        lengths = [len(item.ratios) for item in self.coordinates]
        lengths += [len(self.typical_norm), len(self.full_norm), len(self.sink_norm) or wanted]
        if not wanted or any(length != wanted for length in lengths):
            raise SondeError(
                f"The massive dimensions have {sorted(set(lengths))} entries for {wanted} layers.",
                fix="Give one entry a layer, None where there is none.",
            )

    def is_severe(self, item: Coordinate) -> bool:
        """Say whether a dimension's ratio reaches the severe limit at enough layers."""
        known = [ratio for ratio in item.ratios if ratio is not None]
        return sum(ratio >= self.severe for ratio in known) >= self.min_layers


def prepare(section: MassiveView) -> dict[str, Any]:
    """Return what the template shows."""
    ordered = sorted(section.coordinates, key=lambda item: -item.peak[1])
    top = max([section.severe * 1.6, *[item.peak[1] for item in ordered]])
    return {
        "sentence": _sentence(section, ordered),
        "advice": advise(section, ordered),
        "small": [
            {**_described(section, item), "chart": small_chart(section, item, top)}
            for item in ordered[:DRAWN]
        ],
        "undrawn": max(0, len(ordered) - DRAWN),
        "coordinates": [_described(section, item) for item in ordered],
        "norms": norms_chart(section),
        "norm_rows": _norm_rows(section),
        "sinks": [_sink(sink) for sink in section.sinks],
    }


def _sentence(section: MassiveView, ordered: list[Coordinate]) -> str:
    over = f" over {count(section.tokens)} ordinary tokens" if section.tokens else ""
    if not ordered:
        limit = magnitude(section.ratio)
        return f"No coordinate stands out: none reaches {limit} times the median{over}."
    severe = [str(item.index) for item in ordered if section.is_severe(item)]
    at, peak = ordered[0].peak
    said = (
        f"{counted(len(ordered), 'coordinate stands', 'coordinates stand')} out{over}; "
        f"dimension {ordered[0].index} reaches {magnitude(peak)} times the median "
        f"at block {section.layers[at]}."
    )
    return f"{said} Severe: {listed(severe)}." if severe else f"{said} None is severe."


def advise(section: MassiveView, ordered: list[Coordinate]) -> str:
    """Say what the numbers mean for directions and steering, at the layer in use."""
    layer = section.use_layer if section.use_layer in section.layers else None
    at = section.layers.index(layer) if layer is not None else len(section.layers) // 2
    typical, full = section.typical_norm[at], section.full_norm[at]
    if typical is None or full is None or not typical > 0:
        return "The typical norm could not be measured here, so a coefficient has no unit yet."
    unit = f"At block {section.layers[at]} one unit of steering is {magnitude(typical)}"
    if not ordered:
        return f"{unit}, the typical norm; mean differences can be used as they are."
    names = listed([str(item.index) for item in ordered[:4]])
    more = " and others" if len(ordered) > 4 else ""
    if full / typical < 1.1:
        return (
            f"{unit}, the typical norm. Standardise inputs before fitting: dimensions "
            f"{names}{more} are large but add little to the norm of ordinary tokens."
        )
    return (
        f"{unit}, the typical norm, not the full norm {magnitude(full)}, which mostly measures "
        f"dimensions {names}{more}. Standardise inputs, and leave these dimensions out of mean "
        "differences."
    )


def _described(section: MassiveView, item: Coordinate) -> dict[str, Any]:
    at, peak = item.peak
    known = [ratio for ratio in item.ratios if ratio is not None]
    return {
        "index": item.index,
        "peak": f"{magnitude(peak)}×",
        "layer": section.layers[at],
        "massive": sum(ratio >= section.ratio for ratio in known),
        "severe": section.is_severe(item),
        "where": item.where,
        "ratios": [magnitude(ratio) for ratio in item.ratios],
    }


def _sink(sink: Sink) -> dict[str, str]:
    return {
        "token": "".join(piece.text for piece in visible(sink.token)).strip(),
        "position": str(sink.position),
        "share": MISSING if sink.share is None else share(sink.share),
        "ratio": f"{magnitude(sink.ratio)}×",
    }


def _norm_rows(section: MassiveView) -> dict[str, Any]:
    lines = norm_lines(section)
    return {
        "header": ["Block", *[name for name, _, _ in lines]],
        "rows": [
            [str(layer), *[magnitude(line[at]) for _, _, line in lines]]
            for at, layer in enumerate(section.layers)
        ],
    }
