"""The experiment file as settings: a name, a question, a model, named stages and claims."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.experiments.claims.references import parse_reference
from sonde.experiments.claims.specification import KINDS, AnyClaim, Correction, ReferenceValue
from sonde.experiments.gates import parse_gate, stages_in
from sonde.experiments.order import ordered
from sonde.experiments.stage import named_stage
from sonde.experiments.stages import AnyStage
from sonde.experiments.trackers.settings import AnyTracker, with_kinds
from sonde.experiments.variants import TOP_KEYS
from sonde.models.spec import ModelSpec

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=80)]


class Experiment(Config):
    """An experiment file. Stages refer to each other by name."""

    name: Name = Field(description="Names the folder of the results.")
    question: str = Field(default="", description="What the experiment is to answer, in words.")
    purpose: Literal["smoke", "exploratory", "confirmatory"] = Field(
        default="exploratory",
        description="`smoke` only tries whether it runs, and may make no claim; `confirmatory` may "
        "make claims that are.",
    )
    seed: int = Field(
        default=0, ge=0, lt=2**63, description="For folds, shuffles and bootstrap samples."
    )
    model: ModelSpec | None = Field(
        default=None, description="A model's name, or a mapping with its settings."
    )
    track: tuple[AnyTracker, ...] = Field(
        default=(),
        description="Where to follow a run besides the local file: `[wandb]`, or a list of "
        "mappings with settings.",
    )
    engine: Literal["local"] = Field(default="local", description="Where the stages run.")
    stages: dict[Name, AnyStage] = Field(description="The stages, by name; `kind` says which.")
    sweep: dict[str, list[Any]] = Field(
        default_factory=dict[str, list[Any]],
        description="Values to try, by dotted path: the product of all lists is run.",
    )
    claims: dict[Name, AnyClaim] = Field(
        default_factory=dict[str, AnyClaim],
        description="What is claimed, by name, and what decides it; `kind` says how.",
    )
    correction: Correction = Field(
        default="holm",
        description="How confirmatory claims are corrected for how many they are: `holm`, "
        "`benjamini_hochberg` or `none`.",
    )
    references: dict[str, ReferenceValue] = Field(
        default_factory=dict[str, ReferenceValue],
        description="Values stated elsewhere that results are to reproduce, by result.",
    )

    @field_validator("model", mode="before")
    @classmethod
    def _a_name_is_enough(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

    @field_validator("track", mode="before")
    @classmethod
    def _a_tracker_name_is_enough(cls, given: Any) -> Any:
        return with_kinds(given)

    @field_validator("claims", mode="before")
    @classmethod
    def _claims_have_kinds(cls, given: Any) -> Any:
        claims: Mapping[str, Any] = cast("Any", given) if isinstance(given, Mapping) else {}
        for name, claim in claims.items():
            if not isinstance(claim, Mapping) or "kind" not in claim:
                raise ValueError(
                    f"claims.{name} has no kind; write `kind:` with one of {', '.join(KINDS)}"
                )
        return cast("Any", given)

    @field_validator("references")
    @classmethod
    def _references_are_results(cls, given: dict[str, ReferenceValue]) -> dict[str, ReferenceValue]:
        try:
            return {str(parse_reference(text)): value for text, value in given.items()}
        except SondeError as error:
            raise ValueError(str(error)) from None

    @field_validator("stages", mode="before")
    @classmethod
    def _stages_are_there(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and not given:
            raise ValueError("an experiment has at least one stage")
        return cast("Any", given)

    @model_validator(mode="after")
    def _names_are_free(self) -> "Experiment":
        taken = sorted(set(self.stages) & set(TOP_KEYS))
        if taken:
            raise ValueError(f"a stage cannot be named {taken[0]!r}, which is a key of the file")
        return self

    def needs(self, name: str) -> tuple[str, ...]:
        """Return the stages that must come before one: its inputs and those its gate reads."""
        stage = self.stages[name]
        gate = stages_in(parse_gate(stage.when)) if stage.when else ()
        inputs = (reference.stage for reference in stage.inputs())
        return tuple(dict.fromkeys((*inputs, *stage.optional_inputs(self.stages), *gate)))

    def model_of(self, name: str) -> ModelSpec | None:
        """Return the model of a stage: its own, that of the stage it follows, or the experiment's.

        Raises:
            SondeError: the stage needs a model and none is named.
        """
        stage = self.stages[name]
        followed = stage.follows_model()
        return stage.model_spec(self.model_of(followed) if followed else self.model)

    def order(self) -> tuple[str, ...]:
        """Return the stages in the order in which they run.

        Raises:
            SondeError: a reference leads nowhere, to the wrong kind or to a stage that will not
                have what is asked of it, or stages form a circle.
        """
        for name, stage in self.stages.items():
            for reference in stage.inputs():
                named_stage(self.stages, reference, name)
            stage.check_inputs(self.stages)
            for read in stages_in(parse_gate(stage.when)) if stage.when else ():
                if read not in self.stages:
                    raise SondeError(
                        f"stages.{name}.when reads {read!r}, which is not a stage.",
                        fix=f"Stages are {', '.join(self.stages)}.",
                    )
        models = {
            name: repr(spec) for name in self.stages if (spec := self.model_of(name)) is not None
        }
        return ordered({name: self.needs(name) for name in self.stages}, models)
