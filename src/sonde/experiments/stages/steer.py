"""``steer``: search the coefficients of vectors, and hold the best of each against controls."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from sonde.core.errors import SondeError
from sonde.core.positions import parse_position
from sonde.experiments.result_names import ResultNames
from sonde.experiments.stage import Context, Estimate, Outcome, Reference
from sonde.experiments.stages.steer_results import (
    AGAINST,
    UNITS,
    result_name,
    steer_results,
    steer_summary,
)
from sonde.experiments.stages.traits import judge_made, trait_at, with_rule
from sonde.experiments.stages.with_model import ModelStage
from sonde.judges.settings import JudgeSettings, RuleJudgeSettings
from sonde.steering.settings import SearchSettings
from sonde.vectors.settings import CLEANING_NAMES, METHOD_NAMES

if TYPE_CHECKING:
    from sonde.activations.massive_report import MassiveDimensions
    from sonde.data.traits import Trait
    from sonde.experiments.facts import Facts
    from sonde.models.model import Model
    from sonde.steering.results import SteeringResults
    from sonde.vectors.vector import Vector
    from sonde.vectors.vector_set import VectorSet

FOLDER = "steering"
BEST = "best"


class SteerStage(ModelStage):
    """Steer with vectors: find where the text breaks, and the best coefficient before that.

    The unsteered model, the plain prompt and a random vector are always in the table.
    """

    kind: Literal["steer"] = Field(
        default="steer", description="Search the coefficients of vectors and score the texts."
    )
    vectors: str = Field(description="The stage that made the vectors.")
    trait: str = Field(
        description="The trait whose questions are put: a folder, or one that comes with sonde."
    )
    calibration: str | None = Field(
        default=None,
        description="The massive_dimensions stage of the model that is steered, whose typical "
        "norms are the unit; the vectors' own if none. For vectors of another variant.",
    )
    compare: tuple[str, ...] = Field(
        default=("mean_difference", "probe"),
        min_length=1,
        description="Kinds of vectors: a method, or `method/cleaning` such as "
        "`mean_difference/top-1`. Each is a result of that name, with a space for the slash.",
    )
    positions: tuple[str, ...] = Field(
        default=(),
        description="The positions whose vectors are used; all of the stage if none is named. Of "
        "several, results are named `probe response[:5].mean`.",
    )
    layers: tuple[int, ...] | Literal["best"] = Field(
        default=BEST,
        description="The blocks whose vectors are searched; `best` is the one at which a kind "
        "tells held-out responses apart best (by Cohen's d).",
    )
    questions: int | None = Field(
        default=None, ge=2, description="How many of the trait's questions are put; all if not."
    )
    instruction: str = Field(
        default="", description="The words of the plain prompt; the trait's own if none."
    )
    judge: JudgeSettings = Field(
        default_factory=RuleJudgeSettings, description="Who scores the trait, 0 to 100."
    )
    coherence: JudgeSettings | None = Field(
        default=None, description="Who scores coherence; needed where `search.limit` is judged."
    )
    search: SearchSettings = Field(
        default_factory=SearchSettings, description="How coefficients are searched for."
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "steering"
    resumes: ClassVar[bool] = True
    uses_seed: ClassVar[bool] = True
    has_table: ClassVar[bool] = True

    @field_validator("compare")
    @classmethod
    def _kinds_exist(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for kind in given:
            method, _, cleaning = kind.partition("/")
            for name, known, what in (
                (method, METHOD_NAMES, "method"),
                (cleaning or "none", CLEANING_NAMES, "cleaning"),
            ):
                if name not in known:
                    raise ValueError(f"{name!r} is no {what}; there are {', '.join(known)}")
        if len(set(given)) < len(given):
            raise ValueError(f"a kind is named twice: {', '.join(given)}")
        return given

    @field_validator("positions")
    @classmethod
    def _positions_are_readable(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(parse_position(text)) for text in given)
        except SondeError as error:
            raise ValueError(str(error)) from None

    def inputs(self) -> tuple[Reference, ...]:
        """Return the vectors and the calibration."""
        unit = self.calibration
        return (
            Reference("vectors", self.vectors, ("vectors",)),
            *((Reference("calibration", unit, ("massive",)),) if unit else ()),
        )

    def files(self, base: Path) -> Mapping[str, Path]:
        """Return the trait's folder, and the rules that a judge goes by."""
        return trait_at(self.trait, self.judge, base)

    def problems(self, base: Path) -> tuple[str, ...]:
        """Return what is wrong with the trait, its questions or its rules."""
        try:
            with_rule(self.judge, self._trait(base), base)
        except SondeError as error:
            return (str(error),)
        return ()

    def result_names(self) -> ResultNames:
        """Return a result for each kind, at each position where there are several."""
        places = self.positions if len(self.positions) > 1 else ("",)
        names = tuple(result_name(kind, place) for place in places for kind in self.compare)
        return ResultNames(names, against=AGAINST)

    def estimate(self, facts: "Facts") -> Estimate:
        """Count the tokens that are written and read again."""
        from sonde.experiments.steering_estimate import search_estimate

        trait = self._trait(facts.planned.base)
        layers = 1 if self.layers == BEST else len(self.layers)
        n_vectors = (len(self.compare) + 1) * max(1, len(self.positions)) * layers
        return search_estimate(
            facts, self.model, trait, n_vectors, len(trait.questions), self.search
        )

    def run(self, context: Context) -> Outcome:
        """Search; what an interrupted run wrote and had judged is kept."""
        from sonde.steering import Judges, SteeringTask, open_session, search
        from sonde.steering.evaluation import evaluation_table

        trait = self._trait(context.base)
        task = SteeringTask.of(trait, instruction=self.instruction or trait.instruction)
        settings = self.search
        if "seed" not in settings.model_fields_set:
            settings = settings.model_copy(update={"seed": context.seed})
        judge = judge_made(with_rule(self.judge, trait, context.base), "trait", trait)
        coherence = None
        if self.coherence is not None:
            coherence = judge_made(self.coherence, "coherence", trait)
        model, vectors = context.load_model(), self._chosen(context.open(self.vectors))
        if self.calibration is not None:
            vectors = _in_units(vectors, context.open(self.calibration), model)
        context.say(f"{context.name}: {len(vectors)} vectors, {len(task.questions)} questions")
        session = open_session(model, task, settings, folder=context.folder)
        judges = Judges(judge, coherence)
        found = search(session, vectors, judges, progress=context.progress)
        found.save(context.folder / FOLDER)
        for warning in found.warnings:
            context.say(warning)
        several = len({vector.position for vector in vectors}) > 1
        rows = evaluation_table(found, by=("kind", "position") if several else ("kind",))
        results = steer_results(rows, several, context.folder / UNITS)
        return Outcome(steer_summary(found, rows), results)

    def open(self, folder: Path) -> "SteeringResults":
        """Return every curve and every text."""
        from sonde.steering import SteeringResults

        return SteeringResults.load(folder / FOLDER)

    def _trait(self, base: Path) -> "Trait":
        from sonde.data.traits import read_trait

        trait = read_trait(trait_at(self.trait, None, base)["trait"])
        if not trait.questions:
            raise SondeError(
                f"The trait {trait.name} has no questions to steer on.",
                fix="Write a list of them into its steering.json.",
            )
        if self.questions is not None and self.questions > len(trait.questions):
            raise SondeError(
                f"The trait {trait.name} has {len(trait.questions)} questions, and "
                f"{self.questions} are asked for.",
                fix="Lower `questions`, or write more into its steering.json.",
            )
        return replace(trait, questions=trait.questions[: self.questions])

    def _chosen(self, vectors: "VectorSet") -> "list[Vector]":
        """Return the vectors that are searched, in the order of ``compare``."""
        found: list[Vector] = []
        for position in self.positions or vectors.positions:
            for kind in self.compare:
                method, _, cleaning = kind.partition("/")
                of_kind = vectors.select(method, None, position, cleaning or "none")
                if self.layers == BEST:
                    found.append(max(of_kind, key=_told_apart))
                else:
                    found += of_kind.select(layer=self.layers)
        return found


def _in_units(
    vectors: "list[Vector]", calibration: "MassiveDimensions", model: "Model"
) -> "list[Vector]":
    """Count coefficients in the typical norms of the model that is steered.

    Raises:
        SondeError: another model was calibrated, or a layer was not.
    """
    if calibration.origin.model_fingerprint != model.info.fingerprint:
        raise SondeError(
            f"The calibration is of {calibration.origin.model}, and {model.info.name} is steered.",
            fix="Name a massive_dimensions stage of the model that is steered.",
        )
    return [one.with_typical_norm(calibration.typical_norm(one.layer)) for one in vectors]


def _told_apart(vector: "Vector") -> tuple[bool, float]:
    """Rank a vector by its held-out Cohen's d; one that was not scored, such as random, is last."""
    score = vector.metrics.get("cohens_d")
    known = score is not None and score.value == score.value
    return known, score.value if known and score is not None else -abs(vector.layer)
