"""What vectors are made, and how."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, field_validator

from sonde.core.base import Config
from sonde.core.errors import nearest

METHOD_NAMES = (
    "mean_difference",
    "probe",
    "pca_paired",
    "pca_pooled",
    "lda",
    "gradient",
    "random",
)
CLEANING_NAMES = ("none", "top-1", "top-3", "top-5", "top-10", "all", "before")

Shrinkage: TypeAlias = Literal["ledoit_wolf"] | Annotated[float, Field(gt=0, lt=1)]


class GradientSettings(Config):
    """How the gradient method looks for its direction.

    The vector that is added has a length of at most ``bound`` typical norms. ``examples`` of each
    side are optimised on, the others score it. One backward pass gives the first direction at
    every layer; ``steps`` more of projected ascent follow, each a pass a layer, the first of them
    ``learning_rate`` bounds long. ``window`` is the stretch of the response whose likelihood
    counts, by default the longest that activations were taken of. ``layers`` limits it to some of
    the layers; ``layers_at_once`` of them are optimised together as rows of a batch.
    """

    bound: float = Field(default=1.0, gt=0)
    examples: int = Field(default=8, ge=1)
    steps: int = Field(default=4, ge=0)
    learning_rate: float = Field(default=0.2, gt=0)
    window: str | None = None
    layers: int | float | str | tuple[int | float, ...] = "all"
    layers_at_once: int = Field(default=4, ge=1)


class VectorSettings(Config):
    """Which vectors are made at every hook point and position of the activations.

    ``methods`` and ``cleanings`` multiply: each method's vector as it is (``none``), with the
    massive dimensions of largest ratio set to zero (``top-1`` … ``all``), and fitted without them
    (``before``). ``folds``, ``seed`` and ``level`` make the held-out scores and their intervals.
    ``positive`` names the class that vectors point to, by default the second in sorted order.
    ``penalty`` is the probe's (1/C), ``shrinkage`` the covariance's of LDA. A text that stands on
    both sides is refused.
    """

    methods: tuple[str, ...] = ("mean_difference", "probe", "random")
    cleanings: tuple[str, ...] = ("none",)
    folds: int = Field(default=5, ge=2, le=100)
    seed: int = Field(default=0, ge=0)
    level: float = Field(default=0.95, gt=0, lt=1)
    positive: str | None = None
    penalty: float = Field(default=1.0, gt=0)
    shrinkage: Shrinkage = "ledoit_wolf"
    gradient: GradientSettings = GradientSettings()

    @field_validator("methods", "cleanings")
    @classmethod
    def _known(cls, given: tuple[str, ...], info: object) -> tuple[str, ...]:
        field = getattr(info, "field_name", "")
        known, called = (
            (METHOD_NAMES, "method") if field == "methods" else (CLEANING_NAMES, "cleaning")
        )
        for name in given:
            if name not in known:
                raise ValueError(
                    f"{name!r} is not a {called}.{nearest(name, known)} There are "
                    f"{', '.join(known)}"
                )
        if not given:
            raise ValueError(f"name at least one {called} of {', '.join(known)}")
        return tuple(dict.fromkeys(given))
