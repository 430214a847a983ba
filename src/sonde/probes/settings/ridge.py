"""Settings of ridge regression."""

from typing import ClassVar, Literal

from sonde.probes.settings.base import PenaltySettings, Says


class RidgeSettings(PenaltySettings):
    """Ridge regression. A penalty is scikit-learn's alpha, on standardised inputs."""

    kind: Literal["ridge"] = "ridge"
    metric: Literal["r2", "pearson"] = "r2"
    penalties: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
    metrics: ClassVar[tuple[str, ...]] = ("r2", "pearson")
    says: ClassVar[Says] = "number"
