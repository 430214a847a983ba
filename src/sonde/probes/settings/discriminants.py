"""Settings of two-class probes in closed form: mass mean, LDA, principal component."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, ValidationError, WrapValidator

from sonde.probes.settings.base import TWO_CLASSES, Says, UnpenalisedSettings


def _in_one_sentence(given: Any, check: Callable[[Any], Any]) -> Any:
    """Say once what may be written; pydantic would tell of both alternatives by their types."""
    try:
        return check(given)
    except ValidationError:
        raise ValueError("write ledoit_wolf, or a number of at least 0 and below 1") from None


# The share of a multiple of the identity in the covariance: one found from the rows, or a number.
Shrink: TypeAlias = Annotated[
    Literal["ledoit_wolf"] | Annotated[float, Field(ge=0, lt=1)], WrapValidator(_in_one_sentence)
]


class MassMeanSettings(UnpenalisedSettings):
    """The difference of the two classes' means through the inverse of their covariance.

    ``shrinkage`` s makes the covariance S of standardised rows ``(1 - s) S + s tr(S) / d I``; 0
    needs more rows than coordinates.
    """

    kind: Literal["mass_mean"] = "mass_mean"
    metric: Literal["auroc", "balanced_accuracy", "accuracy"] = "auroc"
    positive: str | None = None
    shrinkage: Shrink = "ledoit_wolf"
    metrics: ClassVar[tuple[str, ...]] = TWO_CLASSES
    says: ClassVar[Says] = "score"


class LdaSettings(UnpenalisedSettings):
    """Linear discriminant analysis of two classes; ``shrinkage`` as for a mass mean."""

    kind: Literal["lda"] = "lda"
    metric: Literal["auroc", "balanced_accuracy", "accuracy"] = "auroc"
    positive: str | None = None
    shrinkage: Shrink = "ledoit_wolf"
    metrics: ClassVar[tuple[str, ...]] = TWO_CLASSES
    says: ClassVar[Says] = "logit"


class PcaSettings(UnpenalisedSettings):
    """The first principal component, its sign by the labels.

    Rows are centred by the mean of ``all``, or each by that of its ``class``. ``standardise``
    divides each coordinate by its standard deviation first; without it the massive dimensions of a
    residual stream are most of its variance.
    """

    kind: Literal["pca"] = "pca"
    metric: Literal["auroc", "balanced_accuracy", "accuracy"] = "auroc"
    positive: str | None = None
    centring: Literal["all", "class"] = "all"
    standardise: bool = False
    metrics: ClassVar[tuple[str, ...]] = TWO_CLASSES
    says: ClassVar[Says] = "score"
