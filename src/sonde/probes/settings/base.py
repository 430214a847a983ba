"""What the settings of every kind of probe share."""

from typing import ClassVar, Literal, TypeAlias

from pydantic import Field, field_validator

from sonde.core.base import Config
from sonde.stats.bootstrap import Bootstrap

# What a probe's outputs are: numbers in the labels' unit; the log-odds of the second class; one
# logit a class; a distance whose sign decides; a utility, of which differences alone mean anything.
Says: TypeAlias = Literal["number", "logit", "logits", "score", "utility"]

TWO_CLASSES = ("auroc", "balanced_accuracy", "accuracy")


class SweepSettings(Config):
    """What every probe's sweep over layers shares.

    ``folds`` is the number of outer folds; choices are made by the other folds among themselves,
    so 5 outer folds have 4 inner ones. ``resamples``, ``level`` and ``seed`` make the intervals
    (``seed`` also the folds and the controls). ``shuffles`` is how many shuffles of the labels the
    first control averages, ``directions`` how many random directions the second; 0 leaves a control
    out, which every print of the result then says. ``baseline`` is whether texts are also scored
    from their words alone and from their length alone. ``duplicates`` says what becomes of a text
    (or its activations) that occurs in several groups: ``merge`` makes one of the groups, ``allow``
    leaves them to leak between folds, ``error`` refuses them. ``device`` is where fits are made:
    ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one; they differ by rounding.
    """

    folds: int = Field(default=5, ge=3, le=100)
    seed: int = Field(default=0, ge=0)
    resamples: int = Field(default=1000, ge=1)
    level: float = Field(default=0.95, gt=0, lt=1)
    shuffles: int = Field(default=5, ge=0)
    directions: int = Field(default=5, ge=0)
    baseline: bool = True
    duplicates: Literal["merge", "allow", "error"] = "merge"
    device: str = "cpu"

    metrics: ClassVar[tuple[str, ...]]
    says: ClassVar[Says]
    # Whether nothing but the penalty keeps the weights finite where the labels are separable.
    diverges: ClassVar[bool] = False

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


class UnpenalisedSettings(SweepSettings):
    """A sweep with nothing to choose but the layer."""

    @property
    def penalties(self) -> tuple[float, ...]:
        """One entry, so that every kind is swept alike."""
        return (0.0,)
