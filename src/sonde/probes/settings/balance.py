"""What is done about classes of unequal size, in the training rows alone."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from sonde.core.base import Config


class NoBalance(Config):
    """Every row counts once."""

    kind: Literal["none"] = "none"


class SquareRoot(Config):
    """A row of a rarer class counts the square root of the ratio of sizes, at most ``cap``."""

    kind: Literal["square_root"] = "square_root"
    cap: float = Field(default=5.0, ge=1)


class Inverse(Config):
    """All classes count alike: scikit-learn's ``class_weight="balanced"``."""

    kind: Literal["inverse"] = "inverse"


class Resample(Config):
    """Groups of the commoner classes are left out, at random, until the classes are of a size."""

    kind: Literal["resample"] = "resample"


def _by_name(given: Any) -> Any:
    return {"kind": given} if isinstance(given, str) else given


Balance: TypeAlias = Annotated[
    NoBalance | SquareRoot | Inverse | Resample,
    Field(discriminator="kind"),
    BeforeValidator(_by_name),
]
