"""The section on massive dimensions from their measurement."""

from typing import TYPE_CHECKING

from sonde.report.sections.massive_view import Coordinate, MassiveView, Sink
from sonde.report.wording import MISSING, listed, magnitude

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.activations.massive_report import MassiveDimension, MassiveDimensions


def massive_from(
    found: "MassiveDimensions", *, examples: int | None = None, use_layer: int | None = None
) -> MassiveView:
    """Show the massive dimensions that were measured on a number of examples, where it is known.

    ``use_layer`` is the layer that the advice speaks about, the middle one unless given.
    """
    return MassiveView(
        layers=found.layers,
        coordinates=tuple(
            Coordinate(one.dimension, one.ratios, _where(one)) for one in found.dimensions
        ),
        typical_norm=tuple(norm.typical_norm for norm in found.norms),
        full_norm=tuple(norm.full_norm for norm in found.norms),
        sink_norm=tuple(
            None if norm.sink_ratio is None else norm.sink_ratio * norm.full_norm
            for norm in found.norms
        ),
        sinks=tuple(
            Sink(
                one.text,
                one.position,
                min(1.0, one.count / examples) if examples else None,
                one.ratio,
            )
            for one in found.sinks
        ),
        ratio=found.settings.ratio,
        severe=found.settings.severe,
        min_layers=found.settings.min_layers,
        tokens=found.n_tokens - found.n_sinks,
        use_layer=use_layer,
    )


def _where(one: "MassiveDimension") -> str:
    """Say the mean magnitudes by place, and the token where it is largest."""
    places = (
        ("at the first token", one.at_first),
        ("in the next nine", one.at_early),
        ("later", one.at_later),
    )
    said = [f"{magnitude(size)} {place}" for place, size in places if magnitude(size) != MISSING]
    text = listed(said)
    if one.largest:
        most = one.largest[0]
        text += f"; largest at {most.text!r} (token {most.position}): {magnitude(most.magnitude)}"
    return text.removeprefix("; ")
