"""``monitor``: how far every token of steered and unsteered answers points along some vectors."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from sonde.core.errors import SondeError
from sonde.experiments.identity import with_path
from sonde.experiments.stage import Context, Estimate, Outcome, Reference, Stage
from sonde.experiments.stages.monitor_summary import monitor_summary, read_by
from sonde.experiments.stages.monitored import (
    arms_of,
    distinct,
    in_units_of,
    named_vectors,
    searched_vectors,
)
from sonde.experiments.stages.steer import SteerStage
from sonde.experiments.stages.steer_checks import (
    check_kinds,
    check_positions,
    known_kinds,
    readable_positions,
)
from sonde.experiments.stages.steer_layers import SteeredLayers, blocks_of
from sonde.experiments.stages.steer_results import PROMPT, UNSTEERED
from sonde.experiments.stages.with_model import ModelStage
from sonde.models.spec import ModelSpec
from sonde.vectors.settings import VectorSettings

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts
    from sonde.models.model import Model
    from sonde.steering.joint import JointVectors
    from sonde.steering.monitoring import Transcript
    from sonde.steering.projections import Projections
    from sonde.steering.results import SteeringResults
    from sonde.vectors.vector import Vector

ENDING = ".parquet"


class MonitorStage(ModelStage):
    """Project every token of a search's answers on vectors: unsteered, asked in words, each best.

    The model is that of the search. A second one may read the same unsteered texts beside it.
    """

    kind: Literal["monitor"] = Field(
        default="monitor", description="Project steered and unsteered tokens on vectors."
    )
    model: ModelSpec | None = Field(
        default=None, description="The model of the steer stage; another is refused."
    )
    steering: str = Field(description="The steer stage whose answers are read.")
    vectors: str = Field(description="The stage that made its vectors.")
    along: tuple[str, ...] = Field(
        default=(),
        description="Kinds of vectors to project on, such as `probe`, searched or not; what was "
        "searched if none is named.",
    )
    along_vectors: str | None = Field(
        default=None,
        description="Another vectors stage to take them from, such as that of a second trait.",
    )
    positions: tuple[str, ...] = Field(
        default=(), description="Their positions; those of the search if none is named."
    )
    layers: SteeredLayers | None = Field(
        default=None, description="Their blocks, as a steer stage names them; the search's if none."
    )
    other_model: ModelSpec | None = Field(
        default=None,
        description="A second model of the same width and tokenizer, such as the base model, that "
        "reads the unsteered texts too.",
    )

    version: ClassVar[int] = 2
    gives: ClassVar[str] = "projections"
    has_table: ClassVar[bool] = True

    _kinds_exist = field_validator("along")(known_kinds)
    _positions_are_readable = field_validator("positions")(readable_positions)

    @field_validator("other_model", mode="before")
    @classmethod
    def _another_name_is_enough(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

    def follows_model(self) -> str:
        """Return the search: its answers are read by the model that wrote them."""
        return self.steering

    def inputs(self) -> tuple[Reference, ...]:
        """Return the search, its vectors, and the others that tokens are projected on."""
        other = self.along_vectors
        return (
            Reference("steering", self.steering, ("steering",)),
            Reference("vectors", self.vectors, ("vectors",)),
            *((Reference("along_vectors", other, ("vectors",)),) if other else ()),
        )

    def check_inputs(self, stages: Mapping[str, Stage]) -> None:
        """Refuse another model or other vectors than the search's, and vectors that are not made.

        Raises:
            SondeError: see above.
        """
        search = _search(stages[self.steering])
        if self.model is not None and self.model != search.model:
            theirs = "the experiment's" if search.model is None else search.model.name
            raise SondeError(
                f"A monitor reads the answers of {self.steering} with the model that wrote them, "
                f"{theirs}, and names {self.model.name}.",
                fix="Leave `model` out. For a second model beside it, write `other_model`.",
            )
        if search.vectors != self.vectors:
            raise SondeError(
                f"A monitor reads {self.steering}, whose vectors are those of {search.vectors!r}, "
                f"and names {self.vectors!r}.",
                fix=f"Write `vectors: {search.vectors}`; others to project on are `along_vectors`.",
            )
        source = self.along_vectors or self.vectors
        made = stages[source]
        if isinstance(made, VectorSettings):
            place = "`along`" if self.along else "`along`, else the search's `compare`,"
            check_kinds(place, self.along or search.compare, source, made)
        check_positions("`positions`", self.positions, source, stages)

    def asked_layers(self, stages: Mapping[str, Stage]) -> Mapping[str, tuple[int, ...]]:
        """Return the blocks that are named, by the stage that reads the model there."""
        source = getattr(stages[self.along_vectors or self.vectors], "activations", None)
        named = blocks_of(self.layers) if self.layers else ()
        return {source: named} if source and named else {}

    def estimate(self, facts: "Facts") -> Estimate:
        """Say that it is little: each answer is read once, by each model."""
        from sonde.experiments.sizes import sizes_of

        basis = "each answer is read once more"
        if self.other_model is None:
            return Estimate(basis=basis)
        sizes = sizes_of(with_path(self.other_model, facts.planned.base), facts.dtype)
        return Estimate(
            memory=sizes.weights, basis=f"{basis}, and by {self.other_model.name} beside"
        )

    def run(self, context: Context) -> Outcome:
        """Read the answers, with their edits, and project."""
        from sonde.steering.monitoring import monitor, transcripts
        from sonde.steering.session import open_session

        search = context.inputs[self.steering]
        found: SteeringResults = search.open()
        model = context.load_model()
        session = open_session(model, found.task, found.settings, folder=search.folder)
        searched = searched_vectors(context.open(self.vectors), found)
        along = self._along(context, found, searched)
        allowed = found.settings.allow_other_model
        read: dict[str, Projections] = {}
        texts: dict[str, list[Transcript]] = {}
        for name, arm in arms_of(found, searched).items():
            texts[name] = [one for one in transcripts(session, arm) if one.answer]
            if texts[name]:
                read[name] = monitor(model, texts[name], along, allow_other_model=allowed)
        if self.other_model is not None:
            plain = {name: texts[name] for name in (UNSTEERED, PROMPT) if texts.get(name)}
            read |= self._read_by_other(context, model, plain, along)
        for name, one in read.items():
            one.save(context.folder / f"{_file(name)}{ENDING}")
        whose = self.along_vectors or self.vectors
        return Outcome(monitor_summary(read, [one.name for one in along], whose))

    def open(self, folder: Path) -> "dict[str, Projections]":
        """Return the projections by the name of what steered."""
        from sonde.steering.projections import Projections

        return {
            path.name.removesuffix(ENDING).replace("+", "/"): Projections.load(path)
            for path in sorted(folder.glob(f"*{ENDING}"))
        }

    def _along(
        self, context: Context, found: "SteeringResults", searched: "list[JointVectors]"
    ) -> "list[Vector]":
        """Return the vectors to project on: those that are named, else those that were searched."""
        search = _search(context.inputs[self.steering].stage)
        if not (self.along or self.along_vectors or self.positions or self.layers):
            return distinct(searched)
        positions = self.positions or (() if self.along_vectors else search.positions)
        named = named_vectors(
            context.open(self.along_vectors or self.vectors),
            self.along or search.compare,
            positions,
            self.layers or search.layers,
        )
        return list(in_units_of(named, found, recounted=search.calibration is not None))

    def _read_by_other(
        self,
        context: Context,
        model: "Model",
        texts: "Mapping[str, list[Transcript]]",
        along: "list[Vector]",
    ) -> "dict[str, Projections]":
        """Let the second model read the texts that were written without steering."""
        from sonde.models.loading import load
        from sonde.steering.monitoring import check_same_tokens, monitor

        assert self.other_model is not None
        other = load(with_path(self.other_model, context.base))
        check_same_tokens(model, other, [one for own in texts.values() for one in own])
        return {
            read_by(name, self.other_model.name): monitor(
                other, own, along, steered=False, allow_other_model=True
            )
            for name, own in texts.items()
        }


def _search(stage: Stage) -> SteerStage:
    assert isinstance(stage, SteerStage)  # `inputs` asks for one
    return stage


def _file(name: str) -> str:
    return name.replace("/", "+")
