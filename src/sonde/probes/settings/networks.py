"""Settings of the probes that are trained as networks."""

from typing import Literal

from pydantic import Field, model_validator

from sonde.probes.settings.base import TWO_CLASSES, PenaltySettings, Says

SEVERAL_CLASSES = ("class_accuracy", "macro_recall")
NUMBERS = ("r2", "pearson")
_SAYS: dict[str, Says] = {"two_classes": "logit", "classes": "logits", "numbers": "number"}


class NetworkSettings(PenaltySettings):
    """What all trained probes share.

    ``metric`` also says what is fitted: the AUROC and the accuracies of two classes the log-odds of
    ``positive`` (the second class in sorted order if it is not named), ``class_accuracy`` and
    ``macro_recall`` a logit for each of several classes, ``r2`` and ``pearson`` numbers. A penalty
    is the weight decay in scikit-learn's unit (``MLPClassifier(alpha=…)``): penalty / 2 |weights|^2
    against the summed loss, standardised inputs. ``learning_rate`` is Adam's step for a weight
    times the square root of how many inputs it is one of. ``epochs`` is the most there may be; a
    network stops ``patience`` epochs after its lowest loss on a training fold that is kept apart,
    and is then trained on all training folds for as long as that took.
    """

    metric: Literal[
        "auroc",
        "balanced_accuracy",
        "accuracy",
        "class_accuracy",
        "macro_recall",
        "r2",
        "pearson",
    ] = "auroc"
    # Without two folds there must be one to train on and one to keep apart.
    folds: int = Field(default=5, ge=4, le=100)
    penalties: tuple[float, ...] = (1.0, 10.0, 100.0, 1e3)
    learning_rate: float = Field(default=0.05, gt=0)
    epochs: int = Field(default=200, ge=1)
    patience: int = Field(default=10, ge=1)
    positive: str | None = None

    @property
    def fitted(self) -> Literal["two_classes", "classes", "numbers"]:
        """What the outputs are fitted to."""
        if self.metric in TWO_CLASSES:
            return "two_classes"
        return "classes" if self.metric in SEVERAL_CLASSES else "numbers"

    @property
    def metrics(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The metrics of what is fitted."""
        groups = (TWO_CLASSES, SEVERAL_CLASSES, NUMBERS)
        return next(group for group in groups if self.metric in group)

    @property
    def says(self) -> Says:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What the outputs are."""
        return _SAYS[self.fitted]


class MlpSettings(NetworkSettings):
    """A network with one hidden layer of ``width`` rectified units."""

    kind: Literal["mlp"] = "mlp"
    width: int = Field(default=32, ge=1)


class AttentionSettings(NetworkSettings):
    """A learnt attention over the tokens of an example, with ``heads`` of its own; no hidden layer.

    The activations must keep the tokens apart: positions such as ``response`` with ``each``.
    """

    kind: Literal["attention"] = "attention"
    heads: int = Field(default=1, ge=1)


class MultiTokenSettings(NetworkSettings):
    """A linear probe of each token whose scores are pooled over the example.

    ``pooling`` takes the largest, the mean, or the largest mean of ``window`` tokens in a row
    (``rolling``; 10 if none is named). The probe is trained through it: for the first ``annealing``
    epochs the maximum is a soft one that hardens, and training stops no earlier.
    """

    kind: Literal["multi_token"] = "multi_token"
    pooling: Literal["max", "mean", "rolling"] = "max"
    window: int | None = Field(default=None, ge=2)
    annealing: int = Field(default=30, ge=0)

    @model_validator(mode="after")
    def _window_belongs_to_rolling(self) -> "MultiTokenSettings":
        if self.window is not None and self.pooling != "rolling":
            raise ValueError(f"window is for pooling: rolling; the pooling is {self.pooling}")
        return self
