"""The kinds of stages: one file each, and one line in this table."""

from typing import Annotated, TypeAlias

from pydantic import Field

from sonde.experiments.stages.data import DataStage
from sonde.experiments.stages.extract import ExtractStage
from sonde.experiments.stages.moments import MomentsStage
from sonde.experiments.stages.probe import ProbeStage

AnyStage: TypeAlias = Annotated[
    DataStage  # read examples from a file
    | ExtractStage  # keep activations on disk
    | MomentsStage  # mean and spread of each class, mean differences
    | ProbeStage,  # fit a probe at every layer
    Field(discriminator="kind"),
]
