"""Settings of two-class probes in closed form: mass mean, LDA, principal component."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sonde.probes.settings.base import TWO_CLASSES, Says, UnpenalisedSettings

# The share of a multiple of the identity in the covariance: one found from the rows, or a number.
Shrink = Literal["ledoit_wolf"] | Annotated[float, Field(ge=0, lt=1)]


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
