"""``vectors``: directions of a trait by every method, layer and window, with held-out scores."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sonde.experiments.result_names import ResultNames
from sonde.experiments.stage import Context, Estimate, Outcome, Reference
from sonde.experiments.stages.vector_cosines import COSINE, PROBE, cosine_results
from sonde.experiments.stages.with_model import ModelStage
from sonde.ledger.records import Against, Measured
from sonde.ledger.units import write_scores
from sonde.models.spec import ModelSpec
from sonde.probes.names import DIRECTION
from sonde.vectors.settings import VectorSettings

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts
    from sonde.stats.interval import Interval
    from sonde.vectors.vector import Vector
    from sonde.vectors.vector_set import VectorSet

FILE = "vectors.safetensors"
UNITS = "held_out.parquet"
METRIC, SPREAD = "auroc", "cohens_d"
RANDOM, GRADIENT = "random", "gradient"


class VectorsStage(ModelStage, VectorSettings):
    """Make vectors from the activations of labelled responses, and score each on held-out ones."""

    kind: Literal["vectors"] = Field(
        default="vectors", description="Make vectors by method, layer, window and cleaning."
    )
    activations: str = Field(description="The stage whose activations are read.")
    labels: str = Field(description="The stage whose examples carry both sides, and their pairs.")
    massive: str | None = Field(
        default=None,
        description="The massive_dimensions stage of the same model: the unit of coefficients, and "
        "what cleaning takes out.",
    )
    trait: str = Field(default="", description="The trait's name, as reports show it.")

    version: ClassVar[int] = 2
    gives: ClassVar[str] = "vectors"
    uses_seed: ClassVar[bool] = True
    has_table: ClassVar[bool] = True

    def inputs(self) -> tuple[Reference, ...]:
        """Return the activations, the labels and the massive dimensions."""
        massive = self.massive
        return (
            Reference("activations", self.activations, ("activations",)),
            Reference("labels", self.labels, ("examples",)),
            *((Reference("massive", massive, ("massive",)),) if massive else ()),
        )

    def model_spec(self, default: ModelSpec | None) -> ModelSpec | None:
        """Return the model, which the gradient method alone needs."""
        return super().model_spec(default) if GRADIENT in self.methods else None

    def result_names(self) -> ResultNames:
        """Return the score of each uncleaned vector, named by its place and then its method.

        With a probe there is each other kind's cosine with its direction, too: ``cosine lda all``.
        """
        rest = "method, cleaning, and position where there are several"
        cosines = {COSINE: rest} if PROBE in self.methods else {}
        return ResultNames(hook_points=True, against=(DIRECTION,), with_names=cosines)

    def settings(self, seed: int) -> VectorSettings:
        """Return the settings that are the vectors' own; the seed is the experiment's."""
        own = self.model_dump(include=set(VectorSettings.model_fields))
        if "seed" not in self.model_fields_set:
            own["seed"] = seed
        return VectorSettings.model_validate(own)

    def estimate(self, facts: "Facts") -> Estimate:
        """Count the fits as those of as many logistic probes, and the gradient method's passes.

        The rest is little beside them.
        """
        from sonde.probes.settings import LogisticSettings

        alone = LogisticSettings(
            penalties=(1.0,),
            folds=max(3, self.folds),  # a probe's choices take three at least
            shuffles=0,
            directions=0,
            baseline=False,
        )
        found = facts.probing(self.activations, alone)
        if GRADIENT not in self.methods:
            return found
        climb = facts.ascent(self.activations, self.gradient, self.model)
        return replace(
            climb, memory=found.memory, disk=found.disk, seconds=found.seconds,
            basis=f"{found.basis}; {climb.basis}" if climb.basis else found.basis,
        )  # fmt: skip

    def run(self, context: Context) -> Outcome:
        """Make and score the vectors."""
        from sonde.vectors.advice import advise
        from sonde.vectors.build import vectors_from

        massive = context.open(self.massive) if self.massive else None
        found = vectors_from(
            context.open(self.activations),
            context.open(self.labels),
            self.settings(context.seed),
            massive=massive,
            trait=self.trait,
            model=context.load_model() if GRADIENT in self.methods else None,
        )
        found.save(context.folder / FILE)
        for note in found.notes:
            context.say(note)
        plain = [one for one in found if one.cleaning == "none" and _is_scored(found, one)]
        scores = {_series(one): found.scores(one.name, METRIC) for one in plain}
        write_scores(scores, context.folder / UNITS)
        summary = _summary(found)
        if scores:
            summary["advice"] = str(advise(found, massive))
            context.say(summary["advice"])
        results = (
            *(_measured(one, found) for one in plain),
            *cosine_results(found, context.folder),
        )
        return Outcome(summary, results)

    def open(self, folder: Path) -> "VectorSet":
        """Return the vectors."""
        from sonde.vectors.vector_set import VectorSet

        return VectorSet.load(folder / FILE)


def _is_scored(found: "VectorSet", vector: "Vector") -> bool:
    held = found.held_out.get(vector.position)
    return held is not None and vector.name in held.said


def _series(vector: "Vector") -> str:
    return f"{vector.hook} {vector.position} {vector.method}"


def _measured(vector: "Vector", found: "VectorSet") -> Measured:
    """Return how well a vector tells held-out responses apart, beside a random direction."""
    controls: dict[str, Against] = {}
    if RANDOM in found.methods and vector.method != RANDOM:
        other = next(
            one
            for one in found
            if (one.method, one.position, one.hook) == (RANDOM, vector.position, vector.hook)
        )
        controls[DIRECTION] = Against(other.metrics[METRIC], (_series(other),))
    return Measured(
        name=_series(vector),
        metric=METRIC,
        score=vector.metrics[METRIC],
        method=vector.method,
        controls=controls,
        units=UNITS,
        series=_series(vector),
        note=vector.note,
    )


def _summary(found: "VectorSet") -> dict[str, Any]:
    """Return the best layer of each kind at each position, and the cosines between kinds."""
    best = best_layers(found)
    return {
        "table": _table(best),
        "vectors": len(found),
        "kinds": list(found.kinds),
        "positions": list(found.positions),
        "layers": list(found.layers),
        "best": {
            f"{one.kind} {one.position}": {
                "layer": one.layer,
                "accuracy": _value(one.metrics.get("accuracy")),
                "cohens_d": _value(one.metrics.get(SPREAD)),
                "massive_share": one.massive_share,
            }
            for one in best
        },
        "notes": list(found.notes),
    }


def best_layers(found: "VectorSet") -> "list[Vector]":
    """Return the vector of each kind and position that tells held-out rows apart best, by d."""
    groups: dict[tuple[str, str], list[Vector]] = {}
    for one in found:
        if SPREAD in one.metrics:
            groups.setdefault((one.position, one.kind), []).append(one)
    return [max(several, key=lambda one: one.metrics[SPREAD].value) for several in groups.values()]


def _table(best: "list[Vector]") -> dict[str, Any]:
    return {
        "title": "Vectors: the layer that tells held-out responses apart best",
        "columns": ["vector", "position", "layer", "accuracy", "Cohen's d", "massive share"],
        "rows": [
            [
                one.kind,
                one.position,
                str(one.layer),
                str(one.metrics["accuracy"]),
                str(one.metrics[SPREAD]),
                f"{one.massive_share:.2f}",
            ]
            for one in best
            if one.cleaning == "none"
        ],
        "note": "Scores are of folds that had no part in the vector. The layer with the highest d "
        "is named: the highest of many flatters itself. The massive share is that of the squared "
        "length in massive dimensions.",
    }


def _value(interval: "Interval | None") -> float | None:
    return None if interval is None else interval.value
