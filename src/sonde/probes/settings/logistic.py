"""Settings of logistic regression."""

from typing import ClassVar, Literal

from sonde.probes.settings.base import TWO_CLASSES, PenaltySettings, Says


class LogisticSettings(PenaltySettings):
    """Logistic regression of two classes. A penalty is 1/C of scikit-learn, standardised inputs.

    ``positive`` names the class that a high score means; otherwise it is the second in sorted
    order.
    """

    kind: Literal["logistic"] = "logistic"
    metric: Literal["auroc", "balanced_accuracy", "accuracy"] = "auroc"
    penalties: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
    positive: str | None = None
    metrics: ClassVar[tuple[str, ...]] = TWO_CLASSES
    says: ClassVar[Says] = "logit"
    diverges: ClassVar[bool] = True
