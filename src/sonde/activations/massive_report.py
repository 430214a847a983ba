"""Massive dimensions: coordinates that are far larger than the others, and what they do to norms.

By the design's definition a coordinate is massive where its median magnitude over ordinary tokens
is at least ``ratio`` times the median coordinate's at ``min_layers`` layers or more, and severe
where it is ``severe`` times as large at as many. Ordinary tokens are all but the attention sinks,
which are found by their norm (Sun et al. 2024, "Massive Activations in Large Language Models").
"""

from pathlib import Path
from typing import Any

from pydantic import Field

from sonde.activations.origin import Origin
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import read_json, write_json


class MassiveSettings(Config):
    """What counts as massive, and where it is looked for.

    A token is a sink where its norm is at least ``sink_ratio`` times its layer's median norm at
    ``min_layers`` layers or more. ``keep_bytes`` bounds the activations that are kept between the
    passes; more data than that is run again instead.
    """

    ratio: float = Field(default=10.0, gt=1)
    severe: float = Field(default=100.0, gt=1)
    min_layers: int = Field(default=3, ge=1)
    sink_ratio: float = Field(default=10.0, gt=1)
    site: str = "resid_post"
    layers: int | float | str | tuple[int | float, ...] = "all"
    template: str = "auto"
    too_long: str = "error"
    token_budget: int | None = None
    keep_bytes: int = Field(default=512 * 2**20, ge=0)


class TokenMagnitude(Config):
    """A token at which a coordinate is large. ``position`` is its index in its example."""

    example: str
    position: int
    token_id: int
    text: str
    magnitude: float


class MassiveDimension(Config):
    """One massive coordinate.

    ``ratios`` are its median magnitude over the median coordinate's, for each layer that was read;
    ``layers`` those where that reaches the setting. The mean magnitudes at the first token, the
    next nine and later ones, and the tokens where it is largest, are those of ``peak_layer``, where
    the ratio is largest.
    """

    dimension: int
    ratios: tuple[float, ...]
    layers: tuple[int, ...]
    severe: bool
    peak_layer: int
    at_first: float | None
    at_early: float | None
    at_later: float | None
    largest: tuple[TokenMagnitude, ...]


class LayerNorms(Config):
    """Norms at one layer, in the activations' unit.

    ``full_norm`` and ``typical_norm`` are medians over ordinary tokens of the norm with and without
    the massive dimensions; ``sink_ratio`` is the mean norm of the sinks over ``full_norm``, None
    without sinks; ``median_magnitude`` is the median coordinate's, the unit of the ratios.
    """

    layer: int
    full_norm: float
    typical_norm: float
    median_magnitude: float
    sink_ratio: float | None


class Sinks(Config):
    """Sinks that are the same token at the same place, and how often that is one.

    ``ratio`` is the largest ratio at any layer of their mean norm to the layer's median norm.
    """

    position: int
    token_id: int
    text: str
    count: int
    ratio: float


class MassiveDimensions(Config):
    """The massive dimensions of a model on some data, its sinks, and its norms.

    ``layers`` names the layers of ``norms`` and of each dimension's ``ratios``.
    """

    origin: Origin
    settings: MassiveSettings
    layers: tuple[int, ...]
    n_tokens: int
    n_sinks: int
    dimensions: tuple[MassiveDimension, ...]
    norms: tuple[LayerNorms, ...]
    sinks: tuple[Sinks, ...]

    @property
    def indices(self) -> tuple[int, ...]:
        """The massive coordinates, largest ratio first."""
        return tuple(each.dimension for each in self.dimensions)

    def typical_norm(self, layer: int) -> float:
        """Return the typical norm at a layer: the unit of a steering coefficient.

        Raises:
            SondeError: the layer was not read.
        """
        if layer not in self.layers:
            raise SondeError(
                f"There is no typical norm for layer {layer}.",
                fix=f"Read were layers {', '.join(map(str, self.layers))}.",
            )
        return self.norms[self.layers.index(layer)].typical_norm

    def save(self, path: str | Path) -> None:
        """Write the report as JSON."""
        write_json(Path(path), self.model_dump(mode="json"))

    @staticmethod
    def load(path: str | Path) -> "MassiveDimensions":
        """Read a report.

        Raises:
            SondeError: the file is missing or is no such report.
        """
        found: Any = read_json(Path(path))
        return validated(MassiveDimensions, found, where=str(path))
