"""The kinds of stages: one file each, and one line in this table."""

from typing import Annotated, TypeAlias

from pydantic import Field

from sonde.experiments.stage import Stage
from sonde.experiments.stages.data import DataStage
from sonde.experiments.stages.extract import ExtractStage

STAGES: dict[str, type[Stage]] = {
    "data": DataStage,
    "extract": ExtractStage,
}

AnyStage: TypeAlias = Annotated[
    DataStage | ExtractStage,
    Field(discriminator="kind"),
]
