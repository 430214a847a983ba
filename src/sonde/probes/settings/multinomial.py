"""Settings of logistic regression of several classes."""

from typing import ClassVar, Literal

from sonde.probes.settings.balance import Balance, NoBalance
from sonde.probes.settings.base import PenaltySettings, Says


class MultinomialSettings(PenaltySettings):
    """Logistic regression of two classes or more, a logit each; classes are sorted by name.

    Minimises ``sum log-loss + penalty / 2 sum_k |w_k|^2``, inputs standardised by the training
    rows, intercepts free. A penalty is 1/C of scikit-learn. Scored by the class with the largest
    logit: by the share of rows that are right, or by the mean of the classes' recalls. ``balance``
    says what is done about classes of unequal size, in the training rows alone.
    """

    kind: Literal["multinomial"] = "multinomial"
    metric: Literal["class_accuracy", "macro_recall"] = "class_accuracy"
    penalties: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
    balance: Balance = NoBalance()
    metrics: ClassVar[tuple[str, ...]] = ("class_accuracy", "macro_recall")
    says: ClassVar[Says] = "logits"
    diverges: ClassVar[bool] = True
