"""What a claim says: a statement in words, and the comparison that decides it."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import Field, field_validator, model_validator

from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.experiments.claims.along import is_ordered
from sonde.experiments.claims.references import ResultReference, parse_reference

Mode: TypeAlias = Literal["exploratory", "confirmatory"]
Correction: TypeAlias = Literal["holm", "benjamini_hochberg", "none"]


def _reference(text: str) -> str:
    try:
        return str(parse_reference(text))
    except SondeError as error:
        raise ValueError(str(error)) from None


class Claim(Config):
    """What every claim has."""

    statement: str = Field(min_length=1, description="What is claimed, in words.")
    mode: Mode = Field(
        default="exploratory",
        description="`confirmatory` claims need `purpose: confirmatory` and are corrected for "
        "how many they are.",
    )
    level: float = Field(default=0.95, gt=0.5, lt=1, description="Of the two-sided interval.")

    def references(self) -> tuple[ResultReference, ...]:
        """Return the results that decide the claim."""
        return ()


class Compared(Claim):
    """A claim about the difference of two numbers, ``of`` minus ``over``."""

    of: str = Field(description="The result that the claim is about, such as `news.selected`.")
    over: str | float = Field(
        description="What it is held against: `news.selected/bag of tokens`, another result, or "
        "a number."
    )

    @field_validator("of")
    @classmethod
    def _names_a_result(cls, given: str) -> str:
        return _reference(given)

    @field_validator("over")
    @classmethod
    def _names_a_result_or_number(cls, given: str | float) -> str | float:
        if isinstance(given, str):
            return _reference(given)
        if not math.isfinite(given):
            raise ValueError("a comparison needs a finite number")
        return given

    def references(self) -> tuple[ResultReference, ...]:
        """Return ``of`` and, where it is a result, ``over``."""
        over = (parse_reference(self.over),) if isinstance(self.over, str) else ()
        return (parse_reference(self.of), *over)


class Superiority(Compared):
    """`of` is higher than `over`, by more than `by`."""

    kind: Literal["superiority"]
    by: float = Field(
        ge=0, allow_inf_nan=False, description="The smallest difference that matters."
    )


class NonInferiority(Compared):
    """`of` is at most `by` lower than `over`: it is at least as good, up to a margin."""

    kind: Literal["non_inferiority"]
    by: float = Field(gt=0, allow_inf_nan=False, description="The margin.")


class Equivalence(Compared):
    """`of` and `over` differ by less than `by`, either way."""

    kind: Literal["equivalence"]
    by: float = Field(gt=0, allow_inf_nan=False, description="The margin.")


class Trend(Claim):
    """A score rises or falls along an ordered factor, by more than `by` from first to last.

    The change is that of a straight line through the scores, fitted by least squares.
    """

    kind: Literal["trend"]
    of: str | tuple[str, ...] = Field(
        description="The results in the factor's order; or one result, with `along`."
    )
    along: str | None = Field(
        default=None, description="A path of the sweep, whose values are the factor's."
    )
    at: tuple[float, ...] | None = Field(
        default=None,
        description="The factor's values; the swept numbers, or 1, 2, 3 … where there are none.",
    )
    direction: Literal["rising", "falling"] = Field(
        default="rising", description="`rising` or `falling`."
    )
    by: float = Field(
        ge=0,
        allow_inf_nan=False,
        description="The smallest change from first to last that matters.",
    )

    @field_validator("of")
    @classmethod
    def _names_results(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        return _reference(given) if isinstance(given, str) else tuple(map(_reference, given))

    @model_validator(mode="after")
    def _has_a_factor(self) -> "Trend":
        if isinstance(self.of, str) != (self.along is not None):
            raise ValueError("a trend takes several results in `of`, or one result and `along`")
        if not isinstance(self.of, str) and len(self.of) < 2:
            raise ValueError("a trend needs two results at least")
        if self.at is not None:
            if not all(map(math.isfinite, self.at)) or not is_ordered(self.at):
                raise ValueError(
                    "`at` needs finite numbers, each larger (or smaller) than the last"
                )
            if not isinstance(self.of, str) and len(self.of) != len(self.at):
                raise ValueError(f"`at` has {len(self.at)} values for {len(self.of)} results")
        return self

    def references(self) -> tuple[ResultReference, ...]:
        """Return the results in order; one where they are taken along the sweep."""
        texts = (self.of,) if isinstance(self.of, str) else self.of
        return tuple(map(parse_reference, texts))


class AllOf(Claim):
    """Every one of some other claims holds, in every variant in which it is judged.

    `partial` where some are confirmed and others are not.
    """

    kind: Literal["all_of"]
    of: tuple[str, ...] = Field(min_length=1, description="The names of the claims.")


Comparison: TypeAlias = Superiority | NonInferiority | Equivalence
AnyClaim: TypeAlias = Annotated[
    Superiority | NonInferiority | Equivalence | Trend | AllOf, Field(discriminator="kind")
]
Claims: TypeAlias = Mapping[str, AnyClaim]
KINDS = tuple(
    get_args(kind.model_fields["kind"].annotation)[0] for kind in get_args(get_args(AnyClaim)[0])
)


class ReferenceValue(Config):
    """A value stated elsewhere, such as in a paper, that a result is to reproduce."""

    value: float = Field(allow_inf_nan=False, description="The stated value.")
    tolerance: float = Field(
        ge=0, allow_inf_nan=False, description="How far a reproduction may lie from it."
    )
    source: str = Field(default="", description="Where it is stated.")


def content_of(name: str, claims: Claims) -> dict[str, Any]:
    """Return everything that a claim says, defaults included, as JSON values.

    That is what its registration holds and its hash is of. An ``all_of`` says what its parts say.
    """
    claim = claims[name]
    content = claim.model_dump(mode="json")
    if isinstance(claim, AllOf):
        content["parts"] = {part: content_of(part, claims) for part in claim.of}
    return content
