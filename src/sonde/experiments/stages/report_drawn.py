"""What a report draws of a stage, by what it gives: the sections that follow its table."""

from collections.abc import Callable, Mapping

from sonde.experiments.stage import Finished
from sonde.experiments.stages.report_dictionaries import of_dictionaries
from sonde.experiments.stages.report_steering import of_projections, of_steering, of_vectors
from sonde.report import Section

DRAWN: Mapping[str, Callable[[Finished], list[Section]]] = {
    "vectors": of_vectors,
    "steering": of_steering,
    "projections": of_projections,
    "dictionaries": of_dictionaries,
}
