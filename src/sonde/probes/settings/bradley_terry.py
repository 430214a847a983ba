"""Settings of Bradley-Terry probes."""

from typing import ClassVar, Literal

from sonde.probes.settings.base import PenaltySettings, Says


class BradleyTerrySettings(PenaltySettings):
    """A linear utility fitted to comparisons of items: an item's chance to win is logistic in it.

    Minimises ``sum log(1 + exp(u_loser - u_winner)) + penalty / 2 |w|^2`` with u = w . z, inputs
    standardised by the training items; a tie counts half each way. Folds are of items: comparisons
    whose items lie in different folds are tested nowhere, and a note counts them. Scored by who
    wins the comparisons within the held-out folds.
    """

    kind: Literal["bradley_terry"] = "bradley_terry"
    metric: Literal["accuracy", "auroc"] = "accuracy"
    penalties: tuple[float, ...] = (10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "auroc")
    says: ClassVar[Says] = "utility"
    diverges: ClassVar[bool] = True
