"""Which vectors go into a file for another tool, and in which unit; reading it imports no torch."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from pydantic import Field, field_validator

from sonde.core.base import Config
from sonde.core.errors import SondeError, nearest
from sonde.core.positions import parse_position
from sonde.vectors.settings import CLEANING_NAMES, METHOD_NAMES

ExportFormat: TypeAlias = Literal["gguf", "easysteer", "steering-vectors"]
ENDINGS: Mapping[ExportFormat, str] = MappingProxyType(
    {"gguf": ".gguf", "easysteer": ".gguf", "steering-vectors": ".safetensors"}
)
ExportUnit: TypeAlias = Literal["raw", "unit_length"]
Layers: TypeAlias = tuple[int, ...] | Literal["best", "all"]
KEYS = ("method", "cleaning", "position", "layer")


class Selection(Config):
    """Which vectors of a set are meant; what is not named may be anything that leaves one a layer.

    ``layer`` is a block or several, ``best``, the one at which a vector tells held-out rows apart
    best, or ``all``.
    """

    method: str | None = Field(default=None, description="How it was made: `probe`.")
    cleaning: str | None = Field(
        default=None, description="Which massive dimensions were taken out: `none`, `top-1`, …"
    )
    position: str | None = Field(
        default=None, description="The tokens that it was made of: `response[:5]`."
    )
    layer: Layers | None = Field(
        default=None, description="A block, a list of blocks, `best` (by Cohen's d) or `all`."
    )

    @field_validator("method", "cleaning")
    @classmethod
    def _is_known(cls, given: str | None, info: Any) -> str | None:
        known = METHOD_NAMES if info.field_name == "method" else CLEANING_NAMES
        if given is not None and given not in known:
            raise ValueError(
                f"{given!r} is no {info.field_name}.{nearest(given, known)} There are "
                f"{', '.join(known)}"
            )
        return given

    @field_validator("position")
    @classmethod
    def _position_is_readable(cls, given: str | None) -> str | None:
        try:
            return None if given is None else str(parse_position(given))
        except SondeError as error:
            raise ValueError(str(error)) from None

    @field_validator("layer", mode="before")
    @classmethod
    def _one_block_is_enough(cls, given: Any) -> Any:
        return (given,) if isinstance(given, int) and not isinstance(given, bool) else given

    def __str__(self) -> str:
        named = {name: getattr(self, name) for name in KEYS if getattr(self, name) is not None}
        return ", ".join(f"{name} {_said(value)}" for name, value in named.items())


def _said(value: str | tuple[int, ...]) -> str:
    return value if isinstance(value, str) else ", ".join(map(str, value))
