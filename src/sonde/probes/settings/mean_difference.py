"""Settings of the difference of two classes' means."""

from typing import ClassVar, Literal

from sonde.probes.settings.base import TWO_CLASSES, Says, UnpenalisedSettings


class MeanDifferenceSettings(UnpenalisedSettings):
    """The difference of the two classes' means; nothing to choose but the layer.

    ``weight = mean(x | positive) - mean(x | negative)``, zero midway between the means; x is raw.
    """

    kind: Literal["mean_difference"] = "mean_difference"
    metric: Literal["auroc", "balanced_accuracy", "accuracy"] = "auroc"
    positive: str | None = None
    metrics: ClassVar[tuple[str, ...]] = TWO_CLASSES
    says: ClassVar[Says] = "score"
