"""What a report shows of vectors and of steering with them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sonde.experiments.stage import Finished
from sonde.experiments.stages.monitor_summary import BY, is_steered
from sonde.experiments.stages.steer_results import UNSTEERED
from sonde.experiments.stages.vectors import best_layers
from sonde.report import (
    Notice,
    Section,
    Text,
    cosines_from,
    layer_cosines_from,
    model_cosines_from,
    projections_from,
    samples_from,
    separation_from,
    steering_from,
)
from sonde.report.wording import figure

if TYPE_CHECKING:
    from sonde.steering.projections import Projections
    from sonde.steering.results import SteeringResults
    from sonde.vectors.vector_set import VectorSet

RANDOM = "random"


def of_vectors(finished: Finished) -> list[Section]:
    """Draw held-out separation by layer, cosines at the layer that separates best, and between."""
    found: VectorSet = finished.open()
    drawn: list[Section] = []
    if "advice" in finished.summary:
        advice = str(finished.summary["advice"]).replace("\n", "\n\n")
        drawn.append(Text(advice, title="What to steer with first"))
    drawn += separation_from(found)
    layer, why = _compared_at(found)
    drawn += cosines_from(found, layer, why)
    return [*drawn, *layer_cosines_from(found)]


def _compared_at(found: "VectorSet") -> tuple[int, str]:
    """Return the block whose cosines are drawn, and in words why it is this one."""
    best = [one for one in best_layers(found) if one.method != RANDOM]
    if not best:
        return found.layers[len(found.layers) // 2], "At the middle block: none was scored."
    one = max(best, key=lambda it: it.metrics["cohens_d"].value)
    score = figure(one.metrics["cohens_d"].value)
    kind = one.kind.replace("_", " ").replace("/", ", ")
    return one.layer, (
        f"At block {one.layer}, where {kind} at {one.position} tells held-out responses apart best "
        f"of all kinds and blocks (Cohen's d {score})."
    )


def between_models(there: Mapping[str, Finished]) -> list[tuple[str, Section]]:
    """Compare the vectors of stages whose models differ, at the block that suits the first best.

    Each section comes with the name of a stage.
    """
    sets: dict[str, VectorSet] = {}
    models: list[tuple[str, str]] = []
    for name, finished in there.items():
        if finished.stage.gives == "vectors":
            found: VectorSet = finished.open()
            origin = found[0].origin
            model = (origin.model, origin.model_fingerprint)
            if model not in models:
                models.append(model)
                sets[name] = found
    if len(sets) < 2:
        return []
    layer, _ = _compared_at(next(iter(sets.values())))
    return [(next(iter(sets)), section) for section in model_cosines_from(sets, layer)]


def steering_notices(there: Mapping[str, Finished]) -> list[Notice]:
    """Return what searches warn of, and what vectors stages note."""
    found: list[Notice] = []
    for name, finished in there.items():
        named = name[:1].upper() + name[1:]
        if finished.stage.gives == "steering":
            found += [Notice(f"{named}: {one}") for one in finished.summary["warnings"]]
        elif finished.stage.gives == "vectors":
            found += [Notice(f"{named}: {one}", level="note") for one in finished.summary["notes"]]
    return found


def of_steering(finished: Finished) -> list[Section]:
    """Draw the curves over the coefficient, and show what was written."""
    found: SteeringResults = finished.open()
    return [*steering_from(found), samples_from(found)]


def of_projections(finished: Finished) -> list[Section]:
    """Colour answers by the first vector that something was steered with, and a second reading."""
    read: dict[str, Projections] = finished.open()
    steered = [name for name in read if is_steered(name)]
    if not steered:
        return []
    vectors = [one.name for one in read[steered[0]].vectors]
    name, vector = next(
        ((name, along) for name in steered for along in vectors if _is_along(name, along)),
        (steered[0], vectors[0]),
    )
    second = [one for one in read if one.startswith(f"{UNSTEERED}{BY}")]
    shown = {one: read[one] for one in (UNSTEERED, *second, name) if one in read}
    return [projections_from(shown, vector)]


def _is_along(steered: str, vector: str) -> bool:
    """Whether something was steered by a vector, alone or together with it at other blocks."""
    kind, position, place = steered.split("@", 2)
    several = "," in place or "-" in place  # blocks 3,5 or 0-29
    return vector == steered or (several and vector.startswith(f"{kind}@{position}@"))


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
