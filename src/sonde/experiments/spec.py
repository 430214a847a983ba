"""The experiment file: one YAML with a name, a question, a model and named stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.experiments.claims.checking import Setting, check_claims, check_purpose
from sonde.experiments.claims.references import parse_reference
from sonde.experiments.claims.specification import KINDS, AnyClaim, Correction, ReferenceValue
from sonde.experiments.gates import parse_gate, stages_in
from sonde.experiments.identity import with_path
from sonde.experiments.order import ordered
from sonde.experiments.stage import Stage, named_stage
from sonde.experiments.stages import AnyStage
from sonde.experiments.trackers.settings import AnyTracker, with_kinds
from sonde.experiments.variants import (
    TOP_KEYS,
    Variant,
    parse_override,
    variants,
    with_value,
)
from sonde.experiments.yaml_file import YamlFile, read_yaml
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

    def order(self) -> tuple[str, ...]:
        """Return the stages in the order in which they run.

        Raises:
            SondeError: a reference leads nowhere or to the wrong kind, or stages form a circle.
        """
        for name, stage in self.stages.items():
            for reference in stage.inputs():
                named_stage(self.stages, reference, name)
            for read in stages_in(parse_gate(stage.when)) if stage.when else ():
                if read not in self.stages:
                    raise SondeError(
                        f"stages.{name}.when reads {read!r}, which is not a stage.",
                        fix=f"Stages are {', '.join(self.stages)}.",
                    )
        models = {
            name: repr(spec)
            for name, stage in self.stages.items()
            if (spec := stage.model_spec(self.model)) is not None
        }
        return ordered({name: self.needs(name) for name in self.stages}, models)


@dataclass(frozen=True, slots=True)
class Planned:
    """One variant of an experiment file, validated: what one pass over its stages will do."""

    label: str  # "seed=1, acts.layers=auto"; empty without a sweep
    experiment: Experiment
    order: tuple[str, ...]
    base: Path  # the folder of the file, where relative paths start
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])  # swept path -> value

    @property
    def after_claims(self) -> tuple[str, ...]:
        """The stages that show verdicts on claims, and what waits for those, in order."""
        found: list[str] = []
        for name in self.order:
            waits = set(self.experiment.needs(name)) & set(found)
            if waits or self.experiment.stages[name].shows_claims:
                found.append(name)
        return tuple(found)

    def model_of(self, name: str) -> ModelSpec | None:
        """Return the model that a stage uses, or None; a path in it is absolute.

        Raises:
            SondeError: the stage needs a model and none is named.
        """
        spec = self.experiment.stages[name].model_spec(self.experiment.model)
        return None if spec is None else with_path(spec, self.base)


@dataclass(frozen=True, slots=True)
class Specification:
    """An experiment file with its overrides and the variants of its sweep."""

    path: Path
    text: str
    overrides: tuple[str, ...]
    variants: tuple[Planned, ...]

    @property
    def base(self) -> Path:
        """The folder where relative paths of the file start."""
        return self.path.parent

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.variants[0].experiment.name

    @property
    def claims(self) -> Mapping[str, AnyClaim]:
        """The claims by name; all variants make the same."""
        return self.variants[0].experiment.claims


def read_specification(path: Path, overrides: Sequence[str] = ()) -> Specification:
    """Read and check an experiment file; ``overrides`` are texts such as ``acts.layers=auto``.

    Raises:
        SondeError: the file or an override is not valid; file, line and nearest key are named.
    """
    file = read_yaml(path)
    content = file.content
    for override in overrides:
        content = with_value(content, *parse_override(override))
    planned = tuple(_planned(variant, file) for variant in variants(content))
    _check_sweep(planned, path)
    _check_claims(planned, file)
    return Specification(path.resolve(), file.text, tuple(overrides), planned)


def _planned(variant: Variant, file: YamlFile) -> Planned:
    where = f"{file.path}{f' with {variant.label}' if variant.label else ''}"
    experiment = validated(Experiment, variant.content, where=where, place=file.where)
    try:
        order = experiment.order()
    except SondeError as error:
        raise SondeError(f"{where}: {error.what}", fix=error.fix) from None
    base = file.path.resolve().parent
    return Planned(variant.label, experiment, order, base, dict(variant.changes))


def _check_sweep(planned: Sequence[Planned], path: Path) -> None:
    """Refuse a sweep over what all variants must share."""
    if len({variant.experiment.name for variant in planned}) > 1:
        raise SondeError(
            f"{path} sweeps over `name`, which names the folder of all its results.",
            fix="Sweep over another value; variants that differ never share a result.",
        )
    for key in ("purpose", "claims", "correction", "references"):
        if any(key == swept.split(".")[0] for swept in planned[0].changes):
            raise SondeError(
                f"{path} sweeps over `{key}`, which is the same for all variants.",
                fix="Claims speak of results, and those do not depend on it.",
            )


def _check_claims(planned: Sequence[Planned], file: YamlFile) -> None:
    """Refuse claims that the purpose forbids, or that speak of what is not there."""
    experiment = planned[0].experiment
    labels = [variant.label for variant in planned]
    alike = next((label for label in labels if labels.count(label) > 1), None)
    if experiment.claims and alike is not None:
        raise SondeError(
            f"{file.path} makes claims, and two variants of its sweep are both called {alike!r}.",
            fix="Sweep over values that differ in their first 40 characters.",
        )
    setting = Setting(experiment.stages, {one.label: one.changes for one in planned}, file.where)
    try:
        check_purpose(experiment.purpose, experiment.claims)
        check_claims(experiment.claims, tuple(experiment.references), setting)
    except SondeError as error:
        raise SondeError(f"{file.path}: {error.what}", fix=error.fix) from None


def stages_of_kind(experiment: Experiment, gives: str) -> Mapping[str, Stage]:
    """Return the stages that give something, by name."""
    return {name: stage for name, stage in experiment.stages.items() if stage.gives == gives}
