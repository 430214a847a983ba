"""Settings of probes, one class a kind; a kind is chosen by its tag in the experiment file."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from sonde.core.base import Config
from sonde.stats.bootstrap import Bootstrap


class SweepSettings(Config):
    """What every probe's sweep over layers shares.

    ``folds`` is the number of outer folds; choices are made by the other folds among themselves,
    so 5 outer folds have 4 inner ones. ``resamples``, ``level`` and ``seed`` make the intervals
    (``seed`` also the folds and the controls). ``shuffles`` is how many shuffles of the labels the
    first control averages, ``directions`` how many random directions the second; 0 leaves a control
    out, which every print of the result then says. ``baseline`` is whether texts are also scored
    from their words alone and from their length alone. ``duplicates`` says what becomes of a text
    (or its activations) that occurs in several groups: ``merge`` makes one of the groups, ``allow``
    leaves them to leak between folds, ``error`` refuses them.
    """

    folds: int = Field(default=5, ge=3, le=100)
    seed: int = Field(default=0, ge=0)
    resamples: int = Field(default=1000, ge=1)
    level: float = Field(default=0.95, gt=0, lt=1)
    shuffles: int = Field(default=5, ge=0)
    directions: int = Field(default=5, ge=0)
    baseline: bool = True
    duplicates: Literal["merge", "allow", "error"] = "merge"

    @property
    def bootstrap(self) -> Bootstrap:
        """How intervals are made."""
        return Bootstrap(self.resamples, self.level, self.seed)


class PenaltySettings(SweepSettings):
    """A sweep that also chooses a penalty, of which more is stronger."""

    penalties: tuple[float, ...]

    @field_validator("penalties")
    @classmethod
    def _positive_and_sorted(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        if not given or min(given) <= 0 or max(given) == float("inf"):
            raise ValueError("give at least one penalty, each above 0 and finite")
        return tuple(sorted(set(given)))


class RidgeSettings(PenaltySettings):
    """Ridge regression. A penalty is scikit-learn's alpha, on standardised inputs."""

    kind: Literal["ridge"] = "ridge"
    metric: Literal["r2", "pearson"] = "r2"
    penalties: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
    metrics: ClassVar[tuple[str, ...]] = ("r2", "pearson")


class LogisticSettings(PenaltySettings):
    """Logistic regression of two classes. A penalty is 1/C of scikit-learn, standardised inputs.

    ``positive`` names the class that a high score means; otherwise it is the second in sorted
    order.
    """

    kind: Literal["logistic"] = "logistic"
    metric: Literal["auroc", "balanced_accuracy", "accuracy"] = "auroc"
    penalties: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
    positive: str | None = None
    metrics: ClassVar[tuple[str, ...]] = ("auroc", "balanced_accuracy", "accuracy")


class MeanDifferenceSettings(SweepSettings):
    """The difference of the two classes' means; nothing to choose but the layer."""

    kind: Literal["mean_difference"] = "mean_difference"
    metric: Literal["auroc", "balanced_accuracy", "accuracy"] = "auroc"
    positive: str | None = None
    metrics: ClassVar[tuple[str, ...]] = ("auroc", "balanced_accuracy", "accuracy")

    @property
    def penalties(self) -> tuple[float, ...]:
        """One entry, so that every kind is swept alike."""
        return (0.0,)


ProbeSettings = Annotated[
    RidgeSettings | LogisticSettings | MeanDifferenceSettings, Field(discriminator="kind")
]
