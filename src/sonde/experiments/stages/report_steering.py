"""What a report shows of vectors and of steering with them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sonde.experiments.stage import Finished
from sonde.experiments.stages.monitor_summary import is_steered
from sonde.experiments.stages.steer_results import UNSTEERED
from sonde.experiments.stages.vectors import best_layers
from sonde.report import (
    Section,
    Text,
    cosines_from,
    projections_from,
    samples_from,
    separation_from,
    steering_from,
)

if TYPE_CHECKING:
    from sonde.steering.projections import Projections
    from sonde.steering.results import SteeringResults
    from sonde.vectors.vector_set import VectorSet

RANDOM = "random"


def of_vectors(finished: Finished) -> list[Section]:
    """Draw held-out separation by layer, and the cosines at the layer that separates best."""
    found: VectorSet = finished.open()
    drawn: list[Section] = []
    if "advice" in finished.summary:
        advice = str(finished.summary["advice"]).replace("\n", "\n\n")
        drawn.append(Text(advice, title="What to steer with first"))
    drawn += separation_from(found)
    best = [one for one in best_layers(found) if one.method != RANDOM]
    if best:
        layer = max(best, key=lambda one: one.metrics["cohens_d"].value).layer
        drawn += cosines_from(found, layer)
    return drawn


def of_steering(finished: Finished) -> list[Section]:
    """Draw the curves over the coefficient, and show what was written."""
    found: SteeringResults = finished.open()
    return [*steering_from(found), samples_from(found)]


def of_projections(finished: Finished) -> list[Section]:
    """Colour answers by the first vector that something was steered with."""
    read: dict[str, Projections] = finished.open()
    steered = [name for name in read if is_steered(name)]
    if not steered:
        return []
    vectors = [one.name for one in read[steered[0]].vectors]
    name, vector = next(
        ((name, along) for name in steered for along in vectors if _is_along(name, along)),
        (steered[0], vectors[0]),
    )
    shown = {one: read[one] for one in (UNSTEERED, name) if one in read}
    return [projections_from(shown, vector)]


def _is_along(steered: str, vector: str) -> bool:
    """Whether something was steered by a vector, alone or together with it at other blocks."""
    kind, position, place = steered.split("@", 2)
    several = "," in place or "-" in place  # blocks 3,5 or 0-29
    return vector == steered or (several and vector.startswith(f"{kind}@{position}@"))


# By what a stage gives: the sections that follow its table.
DRAWN: Mapping[str, Callable[[Finished], list[Section]]] = {
    "vectors": of_vectors,
    "steering": of_steering,
    "projections": of_projections,
}


def steering_facts(there: Mapping[str, Finished]) -> tuple[tuple[str, str], ...]:
    """Return what stands under the title of an experiment that steers; empty if none does."""
    for finished in there.values():
        if finished.stage.gives == "steering":
            found: SteeringResults = finished.open()
            return (
                ("Model", str(found.model["name"])),
                ("Trait", found.task.trait),
                ("Questions", f"{found.n_questions:,}"),
                *((("Steered", str(found.gate)),) if found.gate else ()),
            )
    return ()
