"""The kinds of stages: one file each, and one line in this table."""

from typing import Annotated, TypeAlias

from pydantic import Field

from sonde.experiments.stages.compare import CompareStage
from sonde.experiments.stages.comparisons import ComparisonsStage
from sonde.experiments.stages.data import DataStage
from sonde.experiments.stages.dictionary import DictionaryStage
from sonde.experiments.stages.elicit import ElicitStage
from sonde.experiments.stages.erase import EraseStage
from sonde.experiments.stages.export import ExportStage
from sonde.experiments.stages.extract import ExtractStage
from sonde.experiments.stages.held_out import HeldOutStage
from sonde.experiments.stages.import_activations import ImportStage
from sonde.experiments.stages.massive_dimensions import MassiveStage
from sonde.experiments.stages.moments import MomentsStage
from sonde.experiments.stages.monitor import MonitorStage
from sonde.experiments.stages.probe import ProbeStage
from sonde.experiments.stages.reconstruction import ReconstructionStage
from sonde.experiments.stages.report import ReportStage
from sonde.experiments.stages.responses import ResponsesStage
from sonde.experiments.stages.steer import SteerStage
from sonde.experiments.stages.token_task import TokenTaskStage
from sonde.experiments.stages.transfer import TransferStage
from sonde.experiments.stages.utilities import UtilitiesStage
from sonde.experiments.stages.vectors import VectorsStage

AnyStage: TypeAlias = Annotated[
    CompareStage  # two probe stages side by side
    | ComparisonsStage  # which of two items was preferred
    | DataStage  # read examples from a file
    | DictionaryStage  # train SAEs, transcoders and crosscoders
    | ElicitStage  # which of two tasks the model would rather do
    | EraseStage  # take a concept out, and look for it again
    | ExportStage  # a file of vectors for another tool
    | ExtractStage  # keep activations on disk
    | HeldOutStage  # each group scored by probes fitted on the others
    | ImportStage  # take existing activations with their ids
    | MassiveStage  # massive dimensions, attention sinks, typical norms
    | MomentsStage  # mean and spread of each class, mean differences
    | MonitorStage  # project steered and unsteered tokens on vectors
    | ProbeStage  # fit a probe at every layer
    | ReconstructionStage  # dictionaries with their model, on text that training never saw
    | ReportStage  # write an HTML page about the others
    | ResponsesStage  # answers to the scenarios of a trait, vetted
    | SteerStage  # search the coefficients of vectors, and score the texts
    | TokenTaskStage  # is the next token " the"?
    | TransferStage  # score probes where they were not fitted
    | UtilitiesStage  # a number for each item from comparisons
    | VectorsStage,  # directions of a trait
    Field(discriminator="kind"),
]
