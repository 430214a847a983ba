"""Settings of ridge regression."""

from typing import ClassVar, Literal

from sonde.probes.settings.base import PenaltySettings, Says


class RidgeSettings(PenaltySettings):
    """Ridge regression of one number or several. A penalty is scikit-learn's alpha.

    Minimises ``sum (y - z w - b)^2 + penalty |w|^2``, inputs z standardised by the training rows, b
    free; exact. Labels of two classes become 0 and 1, with a note. Where each example has several
    numbers, each is a target with the same penalty, and the score is the mean of theirs.
    """

    kind: Literal["ridge"] = "ridge"
    metric: Literal["r2", "pearson"] = "r2"
    penalties: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
    metrics: ClassVar[tuple[str, ...]] = ("r2", "pearson")
    says: ClassVar[Says] = "number"
