"""What to extract: hook points, positions and the policies for examples that do not fit."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_site
from sonde.core.positions import Position, parse_position

Template = Literal["auto", "chat", "none"]
TooLong = Literal["error", "truncate_left", "truncate_right", "skip"]


class ExtractSettings(Config):
    """Settings of an extraction, each with its default.

    ``hooks`` are sites (read at every one of ``layers``) or whole hook points. ``token_budget`` is
    the largest number of tokens in one forward pass, padding included; None chooses it for the
    device. ``dtype`` is what is kept (None: the model's). ``max_nonfinite`` is the share of rows
    that may hold NaN or Inf before the run stops.
    """

    hooks: str | tuple[str, ...] = "resid_post"
    layers: int | float | str | tuple[int | float, ...] = "all"
    positions: str | tuple[str, ...] = "prompt[-1]"
    template: Template = "auto"
    too_long: TooLong = "error"
    missing_position: Literal["error", "skip"] = "error"
    token_budget: int | None = Field(default=None, ge=1)
    dtype: Literal["float32", "float16", "bfloat16"] | None = None
    max_nonfinite: float = Field(default=0.01, ge=0, le=1)

    @field_validator("hooks", mode="before")
    @classmethod
    def _hooks_as_text(cls, given: Any) -> Any:
        if isinstance(given, str):
            return given
        many = isinstance(given, Sequence)
        return tuple(str(hook) for hook in given) if many else str(given)

    @field_validator("hooks")
    @classmethod
    def _sites_exist(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        """Check plain sites before a model is loaded; dotted names may be the model's own."""
        for hook in (given,) if isinstance(given, str) else given:
            if "." not in hook:
                _as_value_error(lambda hook=hook: parse_site(hook))
        return given

    @field_validator("positions")
    @classmethod
    def _positions_are_readable(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for text in (given,) if isinstance(given, str) else given:
            _as_value_error(lambda text=text: parse_position(text))
        return given

    @field_validator("layers", mode="before")
    @classmethod
    def _layers_are_no_flags(cls, given: Any) -> Any:
        """Refuse true and false, which Python and YAML's yes and no would pass off as 1 and 0."""
        several = isinstance(given, Sequence) and not isinstance(given, str)
        if any(isinstance(layer, bool) for layer in (given if several else [given])):
            raise ValueError("a layer is a number such as 12, not true or false")
        return given

    @property
    def wanted(self) -> tuple[Position, ...]:
        """The positions, parsed.

        Raises:
            SondeError: none was given, one cannot be read, or one is given twice.
        """
        texts = (self.positions,) if isinstance(self.positions, str) else self.positions
        wanted = tuple(parse_position(text) for text in texts)
        if not wanted:
            raise SondeError("No positions were given.", fix="Write one such as prompt[-1].")
        if len(set(wanted)) < len(wanted):
            raise SondeError(
                f"positions {', '.join(texts)} name the same position twice.",
                fix="Give each position once.",
            )
        return wanted


def _as_value_error(parse: Callable[[], object]) -> None:
    """Let pydantic say where a value stands that does not parse."""
    try:
        parse()
    except SondeError as error:
        raise ValueError(str(error)) from None


def extract_settings(
    given: ExtractSettings | None, keywords: dict[str, Any], where: str = "extract's settings"
) -> ExtractSettings:
    """Combine settings with keywords that override them.

    Raises:
        SondeError: a keyword is unknown (the nearest is named) or of a wrong type.
    """
    base = given.model_dump() if given is not None else {}
    return validated(ExtractSettings, base | keywords, where=where)
