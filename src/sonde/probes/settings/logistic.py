"""Settings of logistic regression."""

from typing import ClassVar, Literal

from sonde.probes.settings.balance import Balance, NoBalance
from sonde.probes.settings.base import TWO_CLASSES, PenaltySettings, Says


class LogisticSettings(PenaltySettings):
    """Logistic regression of two classes. A penalty is 1/C of scikit-learn.

    Minimises ``sum log-loss + penalty / 2 |w|^2``, inputs standardised by the training rows, the
    intercept free.

    ``positive`` names the class that a high score means; otherwise it is the second in sorted
    order. ``balance`` says what is done about classes of unequal size, in the training rows alone.
    """

    kind: Literal["logistic"] = "logistic"
    metric: Literal["auroc", "balanced_accuracy", "accuracy"] = "auroc"
    penalties: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
    positive: str | None = None
    balance: Balance = NoBalance()
    metrics: ClassVar[tuple[str, ...]] = TWO_CLASSES
    says: ClassVar[Says] = "logit"
    diverges: ClassVar[bool] = True
