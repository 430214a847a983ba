"""The experiment file: one YAML with a name, a question, a model and named stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.experiments.gates import parse_gate, stages_in
from sonde.experiments.identity import with_path
from sonde.experiments.order import ordered
from sonde.experiments.stage import Stage, named_stage
from sonde.experiments.stages import AnyStage
from sonde.experiments.variants import TOP_KEYS, parse_override, variants, with_value
from sonde.experiments.yaml_file import YamlFile, read_yaml
from sonde.models.spec import ModelSpec

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=80)]


class Experiment(Config):
    """An experiment file. Stages refer to each other by name."""

    name: Name = Field(description="Names the folder of the results.")
    question: str = Field(default="", description="What the experiment is to answer, in words.")
    seed: int = Field(default=0, description="For folds, shuffles and bootstrap samples.")
    model: ModelSpec | None = Field(
        default=None, description="A model's name, or a mapping with its settings."
    )
    engine: Literal["local"] = Field(default="local", description="Where the stages run.")
    stages: dict[Name, AnyStage] = Field(description="The stages, by name; `kind` says which.")
    sweep: dict[str, list[Any]] = Field(
        default_factory=dict[str, list[Any]],
        description="Values to try, by dotted path: the product of all lists is run.",
    )

    @field_validator("model", mode="before")
    @classmethod
    def _a_name_is_enough(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given

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


def read_specification(path: Path, overrides: Sequence[str] = ()) -> Specification:
    """Read and check an experiment file; ``overrides`` are texts such as ``acts.layers=auto``.

    Raises:
        SondeError: the file or an override is not valid; file, line and nearest key are named.
    """
    file = read_yaml(path)
    content = file.content
    for override in overrides:
        content = with_value(content, *parse_override(override))
    planned = tuple(_planned(variant.label, variant.content, file) for variant in variants(content))
    if len({variant.experiment.name for variant in planned}) > 1:
        raise SondeError(
            f"{path} sweeps over `name`, which names the folder of all its results.",
            fix="Sweep over another value; variants that differ never share a result.",
        )
    return Specification(path.resolve(), file.text, tuple(overrides), planned)


def _planned(label: str, content: dict[str, Any], file: YamlFile) -> Planned:
    where = f"{file.path}{f' with {label}' if label else ''}"
    experiment = validated(Experiment, content, where=where, place=file.where)
    try:
        return Planned(label, experiment, experiment.order(), file.path.resolve().parent)
    except SondeError as error:
        raise SondeError(f"{where}: {error.what}", fix=error.fix) from None


def stages_of_kind(experiment: Experiment, gives: str) -> Mapping[str, Stage]:
    """Return the stages that give something, by name."""
    return {name: stage for name, stage in experiment.stages.items() if stage.gives == gives}
