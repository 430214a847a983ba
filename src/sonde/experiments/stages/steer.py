"""``steer``: search the coefficients of vectors, and hold the best of each against controls."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from sonde.core.errors import SondeError
from sonde.experiments.result_names import ResultNames
from sonde.experiments.stage import Context, Estimate, Outcome, Reference, Stage
from sonde.experiments.stages.judging import (
    check_judges,
    judge_in,
    judge_inputs,
    judge_layers,
)
from sonde.experiments.stages.steer_checks import (
    check_kinds,
    check_positions,
    check_unit,
    known_kinds,
    readable_positions,
)
from sonde.experiments.stages.steer_gate import GateSettings, check_gate_settings, gate_made
from sonde.experiments.stages.steer_layers import BEST, SteeredLayers, blocks_of, entries_of
from sonde.experiments.stages.steer_results import (
    AGAINST,
    PROMPT,
    UNITS,
    result_name,
    steer_results,
    steer_summary,
)
from sonde.experiments.stages.steer_vectors import chosen_vectors, counted_in
from sonde.experiments.stages.traits import trait_at, with_rule
from sonde.experiments.stages.with_model import ModelStage
from sonde.judges.settings import JudgeSettings, RuleJudgeSettings
from sonde.steering.settings import JudgedCoherence, SearchSettings
from sonde.steering.task import FRAME
from sonde.vectors.settings import VectorSettings

if TYPE_CHECKING:
    from sonde.data.traits import Trait
    from sonde.experiments.facts import Facts
    from sonde.steering.results import SteeringResults

FOLDER = "steering"


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
    layers: SteeredLayers = Field(
        default=BEST,
        description="The blocks whose vectors are searched; an entry that is a list, such as "
        "`[15, [12, 15, 18]]`, is steered at all of its blocks at once, with one coefficient. "
        "`best` is the block at which a kind tells held-out responses apart best (by Cohen's d).",
    )
    gate: GateSettings | None = Field(
        default=None, description="A probe that decides, token by token, what edits reach."
    )
    questions: int | None = Field(
        default=None, ge=2, description="How many of the trait's questions are put; all if not."
    )
    frame: str = Field(
        default=FRAME,
        pattern=r"\{question\}",
        description="What each question is put into, such as `{question} Give only the facts.`",
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

    _kinds_exist = field_validator("compare")(known_kinds)
    _positions_are_readable = field_validator("positions")(readable_positions)

    @model_validator(mode="after")
    def _somebody_judges_coherence(self) -> "SteerStage":
        if isinstance(self.search.limit, JudgedCoherence) and self.coherence is None:
            raise ValueError(
                "`search.limit` is judged, and nobody judges coherence: name a judge as "
                "`coherence`, or make the limit `{kind: perplexity}`"
            )
        return self

    def check_inputs(self, stages: Mapping[str, Stage]) -> None:
        """Refuse kinds, positions and units that the vectors will not have.

        Raises:
            SondeError: they will not have one.
        """
        made = stages[self.vectors]
        if isinstance(made, VectorSettings):
            check_kinds("`compare`", self.compare, self.vectors, made)
        check_positions("`positions`", self.positions, self.vectors, stages)
        if self.calibration is None:
            check_unit("`vectors`", self.vectors, stages)
        if self.gate is not None:
            check_gate_settings(self.gate, entries_of(self.layers), stages)
        check_judges(self._judges, stages)

    def asked_layers(self, stages: Mapping[str, Stage]) -> Mapping[str, tuple[int, ...]]:
        """Return the blocks that are named: of the vectors, of their units, of probes."""
        gate, named = self.gate, blocks_of(self.layers)
        own = dict(judge_layers(self._judges))
        if gate is not None and gate.at is not None:
            own[gate.probe] = (*own.get(gate.probe, ()), gate.at)
        made = stages[self.vectors]
        unit = self.calibration or getattr(made, "massive", None)
        sources = (getattr(made, "activations", None), unit) if named else ()
        return {**{source: named for source in sources if source}, **own}

    def inputs(self) -> tuple[Reference, ...]:
        """Return the vectors, the calibration, and the probes of the gate and of judges."""
        unit, gate = self.calibration, self.gate
        return (
            Reference("vectors", self.vectors, ("vectors",)),
            *((Reference("calibration", unit, ("massive",)),) if unit else ()),
            *((Reference("gate.probe", gate.probe, ("probe",)),) if gate else ()),
            *judge_inputs(self._judges),
        )

    def files(self, base: Path) -> Mapping[str, Path]:
        """Return the trait's folder, and the rules that a judge goes by."""
        return trait_at(self.trait, self.judge, base)

    def problems(self, base: Path) -> tuple[str, ...]:
        """Return what is wrong with the trait, its questions or its rules."""
        try:
            self.check_files(base)
        except SondeError as error:
            return (str(error),)
        return ()

    def check_files(self, base: Path) -> None:
        """Refuse a trait that nothing can be searched on, and rules that are not valid.

        Raises:
            SondeError: see above.
        """
        with_rule(self.judge, self._trait(base), base)

    def absent_controls(self, base: Path) -> Mapping[str, str]:
        """Say where the plain prompt will be missing: nothing says in words what is asked for."""
        try:
            trait = self._trait(base)
        except SondeError:  # said of the stage
            return {}
        if self.instruction or trait.instruction or trait.definition:
            return {}
        why = (
            f"the trait {trait.name} has no definition and no instruction, so the model cannot be "
            f"asked for it in words. Write its definition.txt, or `instruction` in the stage."
        )
        return {PROMPT: why}

    def result_names(self) -> ResultNames:
        """Return a result for each kind, at each position where there are several."""
        places = self.positions if len(self.positions) > 1 else ("",)
        names = tuple(result_name(kind, place) for place in places for kind in self.compare)
        return ResultNames(names, against=AGAINST)

    def estimate(self, facts: "Facts") -> Estimate:
        """Count the tokens that are written and read again."""
        from sonde.experiments.steering_estimate import search_estimate

        trait = self._trait(facts.planned.base)
        n_entries = max(1, len(entries_of(self.layers)))
        n_vectors = (len(self.compare) + 1) * max(1, len(self.positions)) * n_entries
        judges = tuple(self._judges.values())
        return search_estimate(facts, self.model, trait, n_vectors, judges, self.search)

    def run(self, context: Context) -> Outcome:
        """Search; what an interrupted run wrote and had judged is kept."""
        from sonde.steering import Judges, SteeringTask, open_session, search
        from sonde.steering.evaluation import evaluation_table

        trait = self._trait(context.base)
        task = SteeringTask.of(trait, instruction=self.instruction or trait.instruction)
        task = replace(task, frame=self.frame)
        settings = self.search
        if "seed" not in settings.model_fields_set:
            settings = settings.model_copy(update={"seed": context.seed})
        judge = judge_in(context, "judge", self.judge, "trait", trait)
        coherence = None
        if self.coherence is not None:
            coherence = judge_in(context, "coherence", self.coherence, "coherence", trait)
        model, made = context.load_model(), context.open(self.vectors)
        vectors = chosen_vectors(made, self.compare, self.positions, self.layers)
        if self.calibration is not None:
            vectors = counted_in(vectors, context.open(self.calibration), model)
        gate, other = None, settings.allow_other_model
        if self.gate is not None:
            probes = context.open(self.gate.probe)
            gate = gate_made(self.gate, probes, model, allow_other_model=other)
        context.say(f"{context.name}: curves {len(vectors)}, questions {len(task.questions)}")
        session = open_session(model, task, settings, folder=context.folder)
        judges = Judges(judge, coherence)
        found = search(session, vectors, judges, gate=gate, progress=context.progress)
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

    @property
    def _judges(self) -> Mapping[str, JudgeSettings | None]:
        return {"judge": self.judge, "coherence": self.coherence}

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
        if len(set(trait.questions)) < 2:
            raise SondeError(
                f"The trait {trait.name} has one question to steer on: a coefficient that it "
                "chooses cannot be scored on another.",
                fix="Write at least two into its steering.json; twenty are a good number.",
            )
        return replace(trait, questions=trait.questions[: self.questions])
