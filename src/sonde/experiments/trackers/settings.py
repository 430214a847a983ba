"""Settings of trackers: the experiment file's ``track``."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, cast

from pydantic import Field, field_validator

from sonde.core.base import Config
from sonde.core.errors import nearest
from sonde.experiments.trackers.naming import TEMPLATE, check_template


class TrackerSettings(Config):
    """What all trackers share."""

    group: str | None = Field(
        default=None,
        description="Puts runs together, such as those of a sweep; the experiment's name by "
        "default.",
    )
    name: str = Field(
        default=TEMPLATE,
        description="The run's name, made of `{name}` of the experiment, `{variant}`, `{model}` "
        "and `{run}`, its number in the ledger.",
    )

    package: ClassVar[str] = ""  # what must be installed; its extra has the kind's name

    @field_validator("name")
    @classmethod
    def _name_can_be_filled(cls, given: str) -> str:
        return check_template(given)


class WandbSettings(TrackerSettings):
    """Weights & Biases."""

    kind: Literal["wandb"] = Field(default="wandb", description="Weights & Biases.")
    project: str | None = Field(
        default=None, description="By default `$WANDB_PROJECT`, else `sonde`."
    )
    entity: str | None = Field(default=None, description="The user or team; yours by default.")
    mode: Literal["online", "offline"] | None = Field(
        default=None,
        description="`offline` keeps the run on disk for `wandb sync`; by default `$WANDB_MODE`, "
        "else `online`.",
    )
    tags: tuple[str, ...] = Field(default=(), description="Tags of the run.")

    package: ClassVar[str] = "wandb"


class TensorboardSettings(TrackerSettings):
    """TensorBoard's event files."""

    kind: Literal["tensorboard"] = Field(default="tensorboard", description="TensorBoard.")
    folder: str | None = Field(
        default=None,
        description="Where event files go; `<runs>/<experiment>/metrics/tensorboard` by default.",
    )

    package: ClassVar[str] = "tensorboard"


class MlflowSettings(TrackerSettings):
    """MLflow: a server, or files."""

    kind: Literal["mlflow"] = Field(default="mlflow", description="MLflow.")
    uri: str | None = Field(
        default=None,
        description="The tracking server or store; by default `$MLFLOW_TRACKING_URI`, else files "
        "in `<runs>/<experiment>/metrics/mlruns`.",
    )
    experiment: str | None = Field(
        default=None, description="The experiment's name in MLflow; the same name by default."
    )

    package: ClassVar[str] = "mlflow"


AnyTracker: TypeAlias = Annotated[
    WandbSettings | TensorboardSettings | MlflowSettings, Field(discriminator="kind")
]
KINDS = ("wandb", "tensorboard", "mlflow")


def with_kinds(given: Any) -> Any:
    """Return what stands under ``track`` as a list of mappings: a name is enough for a kind.

    Raises:
        ValueError: it is no list, or an entry is not a tracker.
    """
    if isinstance(given, str | Mapping):
        given = [given]
    if not isinstance(given, Sequence):
        raise ValueError(f"write a list such as [wandb]; trackers are {', '.join(KINDS)}")
    return [_with_kind(one) for one in cast("Sequence[Any]", given)]


def _with_kind(one: Any) -> Any:
    if isinstance(one, str):
        if one not in KINDS:
            hint = nearest(one, KINDS) or f" Trackers are {', '.join(KINDS)}."
            raise ValueError(f"there is no tracker {one!r}.{hint}")
        return {"kind": one}
    if isinstance(one, Mapping) and "kind" not in one:
        raise ValueError(f"a tracker has no kind; write `kind:` with one of {', '.join(KINDS)}")
    return cast("Any", one)
