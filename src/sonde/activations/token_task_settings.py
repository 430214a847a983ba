"""What a token task asks: of which texts, for which tokens, read where."""

from typing import Any

from pydantic import Field, ValidationError, field_validator

from sonde.activations.settings import ExtractSettings
from sonde.core.base import Config
from sonde.data.text_folders import STANDARD_LIBRARY, named_library
from sonde.data.token_tasks import Sampling, Task, Variant

POSITION = "all.each"  # each token is a row of its own


class TokenTaskSettings(Config):
    """Settings of a token task, each with its default but texts and tokens.

    ``next`` asks at each token whether the one after it is among ``tokens``, ``current`` whether it
    is one itself. Documents are cut into chunks of ``context`` tokens, a BOS included where the
    tokenizer has one; ``min_context`` tokens of its chunk must stand before a token that is asked:
    the first has no context, and is an attention sink in most models.
    """

    texts: str = Field(
        description=f"A folder of .txt, .md and .py files, or `{STANDARD_LIBRARY}` for the "
        "documentation strings of Python's own."
    )
    tokens: str | tuple[str, ...] = Field(
        description='The target, or several, as text: `" the"`. Each is one token.'
    )
    task: Task = Field(default="next", description="`next` or `current`.")
    variants: tuple[Variant, ...] = Field(
        default=(), description="Other forms that are targets too: `case`, `space`."
    )
    context: int = Field(default=256, ge=3, description="Tokens of a chunk.")
    min_context: int = Field(
        default=1, ge=0, description="Tokens of the chunk before the first that is asked."
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="How many tokens of the texts are looked at; all if not."
    )
    rows: int = Field(default=4000, ge=2, description="How many tokens become rows at most.")
    sampling: Sampling = Field(
        default="balanced",
        description="`balanced`: as many rows with the label as without; `natural`: as they come.",
    )
    shown: int = Field(
        default=6,
        ge=0,
        description="How many documents a report may colour; they give no rows, and are a tenth of "
        "all at most.",
    )
    hooks: str | tuple[str, ...] = Field(
        default="resid_post", description="Sites, or whole hook points."
    )
    layers: int | float | str | tuple[int | float, ...] = Field(
        default="auto", description="`auto`, `all`, or blocks."
    )

    token_budget: int | None = Field(
        default=None, ge=1, description="Tokens of one forward pass; chosen for the device if not."
    )

    @field_validator("tokens")
    @classmethod
    def _some_tokens(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not given or (not isinstance(given, str) and "" in given):
            raise ValueError('name at least one token, such as " the"')
        return given

    @field_validator("texts")
    @classmethod
    def _library_with_its_version(cls, given: str) -> str:
        """Another version has other texts, so the result of one is not the other's."""
        return named_library(given) if given == STANDARD_LIBRARY else given

    @field_validator("hooks", "layers", mode="before")
    @classmethod
    def _places_are_readable(cls, given: Any, info: Any) -> Any:
        """Check places as an extraction would."""
        try:
            checked = ExtractSettings.model_validate({info.field_name: given})
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return getattr(checked, info.field_name)

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets' texts."""
        return (self.tokens,) if isinstance(self.tokens, str) else self.tokens

    def reading(self) -> ExtractSettings:
        """Return where the model is read."""
        return ExtractSettings(
            hooks=self.hooks,
            layers=self.layers,
            positions=POSITION,
            template="none",
            token_budget=self.token_budget,
        )
