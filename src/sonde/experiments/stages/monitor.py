"""``monitor``: how far every token of steered and unsteered answers points along some vectors."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sonde.core.errors import SondeError, nearest
from sonde.experiments.stage import Context, Estimate, Outcome, Reference, Stage
from sonde.experiments.stages.with_model import ModelStage

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts
    from sonde.stats.interval import Interval
    from sonde.steering.joint import JointVectors
    from sonde.steering.projections import Projections
    from sonde.steering.results import SteeringResults
    from sonde.vectors.vector_set import VectorSet

UNSTEERED = "unsteered"
ENDING = ".parquet"


class MonitorStage(ModelStage):
    """Project every token of a search's answers on its vectors: the unsteered ones, each best."""

    kind: Literal["monitor"] = Field(
        default="monitor", description="Project steered and unsteered tokens on vectors."
    )
    steering: str = Field(description="The steer stage whose answers are read.")
    vectors: str = Field(description="The stage that made its vectors.")
    along: tuple[str, ...] = Field(
        default=(),
        description="Kinds of vectors to project on, such as `probe`; all that were searched if "
        "none is named.",
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "projections"
    has_table: ClassVar[bool] = True

    def inputs(self) -> tuple[Reference, ...]:
        """Return the search and the vectors."""
        return (
            Reference("steering", self.steering, ("steering",)),
            Reference("vectors", self.vectors, ("vectors",)),
        )

    def check_inputs(self, stages: Mapping[str, Stage]) -> None:
        """Refuse other vectors than the search's, and kinds that it did not search.

        Raises:
            SondeError: see above.
        """
        searched = stages[self.steering]
        theirs = getattr(searched, "vectors", self.vectors)
        if theirs != self.vectors:
            raise SondeError(
                f"A monitor reads {self.steering}, whose vectors are those of {theirs!r}, and "
                f"names {self.vectors!r}.",
                fix=f"Write `vectors: {theirs}`.",
            )
        kinds: tuple[str, ...] = getattr(searched, "compare", self.along)
        for kind in self.along:
            if kind not in kinds:
                raise SondeError(
                    f"`along` names {kind!r}, which {self.steering} does not search."
                    f"{nearest(kind, kinds)}",
                    fix=f"It searches {', '.join(kinds)}.",
                )

    def estimate(self, facts: "Facts") -> Estimate:
        """Say that it is little: each answer is read once."""
        return Estimate(basis="each answer is read once more")

    def run(self, context: Context) -> Outcome:
        """Read the answers, with their edits, and project."""
        from sonde.steering.monitoring import monitor, transcripts
        from sonde.steering.session import open_session

        search = context.inputs[self.steering]
        found: SteeringResults = search.open()
        model = context.load_model()
        session = open_session(model, found.task, found.settings, folder=search.folder)
        searched = _searched(context.open(self.vectors), found)
        every = {one.name: one for joint in searched for one in joint.vectors}.values()
        along = [one for one in every if not self.along or one.kind in self.along]
        if not along:
            raise SondeError(
                f"None of the vectors searched is of {' or '.join(self.along)}.",
                fix=f"Were: {', '.join(dict.fromkeys(it.kind for it in every))}.",
            )
        allowed = found.settings.allow_other_model
        read: dict[str, Projections] = {}
        for name, arm in _arms(found, searched).items():
            texts = [one for one in transcripts(session, arm) if one.answer]
            if texts:
                read[name] = monitor(model, texts, along, allow_other_model=allowed)
                read[name].save(context.folder / f"{_file(name)}{ENDING}")
        return Outcome(_summary(read, [one.name for one in along]))

    def open(self, folder: Path) -> "dict[str, Projections]":
        """Return the projections by the name of what steered."""
        from sonde.steering.projections import Projections

        return {
            path.name.removesuffix(ENDING).replace("+", "/"): Projections.load(path)
            for path in sorted(folder.glob(f"*{ENDING}"))
        }


def _file(name: str) -> str:
    return name.replace("/", "+")


def _searched(vectors: "VectorSet", found: "SteeringResults") -> "list[JointVectors]":
    """Return the vectors of a search as they were steered, in the unit that it counted in.

    Controls that it drew itself are not in the set.
    """
    from sonde.steering.joint import JointVectors

    known = {one.name: one for one in vectors}
    return [
        JointVectors(
            tuple(
                known[name].with_typical_norm(place.typical_norm)
                for name, place in zip(one.members, one.places, strict=True)
            )
        )
        for one in found.vectors
        if all(name in known for name in one.members)
    ]


def _arms(found: "SteeringResults", searched: "Sequence[JointVectors]") -> dict[str, Any]:
    """Return the unsteered arm and the best of each curve, as they were asked."""
    from sonde.core.edits import When
    from sonde.steering.candidates import Arm, Candidate, How

    settings, gate = found.settings, found.gate
    how = How(settings.kind, When(settings.when), settings.steps, gate and gate.gate)
    arms = {UNSTEERED: Arm()}
    for joint in searched:
        best = found.best(found.of_vector(joint.name))
        if best.found and best.arm.coefficient is not None:
            arms[joint.name] = Arm(Candidate.of(joint, best.arm.coefficient, how))
    return arms


def _change(found: "Interval", unit: float) -> str:
    """Write a change in typical norms; where no answer's differs there is no interval."""
    value, low, high = (end / unit for end in (found.value, found.low, found.high))
    return f"{value:+.3f}" + ("" if math.isnan(low) else f" [{low:+.3f}, {high:+.3f}]")


def _summary(read: "Mapping[str, Projections]", along: list[str]) -> dict[str, Any]:
    """Return the mean projection of generated tokens, and its change by steering."""
    plain = read.get(UNSTEERED)
    rows: list[list[Any]] = []
    means: dict[str, dict[str, float | None]] = {}
    for name, found in read.items():
        values = found.means()
        units = [one.typical_norm or float("nan") for one in found.vectors]
        mean = (values.mean(axis=0) / units).tolist()
        means[name] = dict(zip(along, mean, strict=True))
        changes = found.minus(plain) if plain is not None and name != UNSTEERED else None
        for at, vector in enumerate(along):
            change = "–"
            if changes is not None:
                change = _change(changes[at].interval, units[at])
            rows.append([name, vector, f"{mean[at]:+.3f}", change])
    return {
        "table": {
            "title": "Projections of generated tokens",
            "columns": ["steered by", "projected on", "mean", "change"],
            "rows": rows,
            "note": "In typical norms of the vector's layer; means over answers, changes from the "
            "unsteered answers to the same questions. What a vector adds at its own layer counts.",
        },
        "means": means,
    }
