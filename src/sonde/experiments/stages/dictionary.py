"""``dictionary``: train SAEs, transcoders and crosscoders on one corpus, or stored activations."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from sonde.activations.settings import ExtractSettings
from sonde.activations.shuffled_settings import ShuffleSettings
from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.core.files import read_json
from sonde.core.hooks import parse_hook_point
from sonde.data.corpus_settings import CorpusSettings
from sonde.dictionaries.samples.settings import SampleSettings
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.training.recipe import check_recipe
from sonde.dictionaries.training.settings import Adam, Training
from sonde.experiments.result_names import ResultNames
from sonde.experiments.stage import Context, Estimate, Outcome, Reference, Stage, resolved_path
from sonde.experiments.stages.with_model import ModelStage

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts
    from sonde.experiments.stages.dictionary_files import TrainedDictionaries
    from sonde.models.spec import ModelSpec

CHECKPOINTS = "checkpoints"  # the folder beside those of the dictionaries
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=64)]


class KeptCheckpoints(Config):
    """Every how many steps a checkpoint is stored, and how many stay."""

    every: int = Field(default=500, ge=1)
    keep: int = Field(default=3, ge=1)


class StoredRows(Config):
    """The activations of an ``extract`` stage, with ``positions: all`` those of every token."""

    stage: str = Field(description="The stage that keeps them.")
    held_out: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="The share of the groups (examples, where there are none) that training "
        "never sees.",
    )
    epochs: int = Field(default=1, ge=1, description="How often each row is given.")


class DictionaryStage(ModelStage):
    """Train dictionaries by name from the same rows, and score them on rows that were held out.

    A killed run goes on from its last checkpoint, and ends with the same weights.
    """

    kind: Literal["dictionary"] = Field(
        default="dictionary", description="Train SAEs, transcoders and crosscoders."
    )
    corpus: CorpusSettings | None = Field(
        default=None, description="The texts, and what of them is held out."
    )
    activations: StoredRows | None = Field(
        default=None,
        description="Instead of a corpus: an extract stage, and what of its rows is held out.",
    )
    dictionaries: dict[Name, DictionarySettings] = Field(
        min_length=1, description="The dictionaries to train, by name."
    )
    training: Training = Field(
        default=Training(), description="The recipe, the same for all of them."
    )
    shuffle: ShuffleSettings = Field(
        default=ShuffleSettings(), description="Batches, and how rows are mixed."
    )
    samples: SampleSettings | None = Field(
        default=SampleSettings(), description="What is kept of each latent's activations."
    )
    checkpoints: KeptCheckpoints = Field(default=KeptCheckpoints())
    log: int = Field(default=100, ge=1, description="Every how many steps numbers are logged.")

    version: ClassVar[int] = 4
    gives: ClassVar[str] = "dictionaries"
    resumes: ClassVar[bool] = True
    uses_seed: ClassVar[bool] = True
    has_table: ClassVar[bool] = True

    @field_validator("activations", mode="before")
    @classmethod
    def _a_stage_is_enough(cls, given: Any) -> Any:
        return {"stage": given} if isinstance(given, str) else given

    @field_validator("dictionaries")
    @classmethod
    def _names_are_free(cls, given: dict[str, Any]) -> dict[str, Any]:
        if CHECKPOINTS in given:
            raise ValueError(f"{CHECKPOINTS!r} is the folder of checkpoints: take another name")
        return given

    @model_validator(mode="after")
    def _one_source(self) -> "DictionaryStage":
        if (self.corpus is None) == (self.activations is None):
            raise ValueError(
                "give `corpus`, texts that the model reads, or `activations`, an extract stage, "
                "and not both"
            )
        if self.corpus is not None and not self.corpus.held_out:
            raise ValueError("`corpus.held_out` is 0, and scores need text that training never saw")
        return self

    @model_validator(mode="after")
    def _recipe_suits(self) -> "DictionaryStage":
        try:
            check_recipe(self.training, self.dictionaries)
        except SondeError as error:
            raise ValueError(str(error)) from None
        return self

    def inputs(self) -> tuple[Reference, ...]:
        """Return the stage whose activations are trained on, if there is one."""
        if self.activations is None:
            return ()
        return (Reference("activations", self.activations.stage, ("activations",)),)

    def follows_model(self) -> str:
        """Return the stage whose activations are trained on: its model made them."""
        return self.activations.stage if self.activations is not None else ""

    def model_spec(self, default: "ModelSpec | None") -> "ModelSpec | None":
        """Return the model; imported activations may do without one."""
        if self.activations is not None and self.model is None and default is None:
            return None
        return super().model_spec(default)

    def asked_layers(self, stages: Mapping[str, Stage]) -> Mapping[str, tuple[int, ...]]:
        """Return the blocks of all hook points, which the stage with the activations must read."""
        if self.activations is None:
            return {}
        points = (parse_hook_point(hook) for hook in self._hooks)
        return {self.activations.stage: tuple(sorted({point.layer for point in points}))}

    def files(self, base: Path) -> Mapping[str, Path]:
        """Return the texts, unless they are the standard library's or the hub's."""
        if self.corpus is None or not self.corpus.local:
            return {}
        return {"corpus.texts": resolved_path(self.corpus.texts, base)}

    @property
    def _hooks(self) -> tuple[str, ...]:
        every = (
            hook for one in self.dictionaries.values() for hook in (*one.sources, *one.targets)
        )
        return tuple(dict.fromkeys(every))

    def reads(self) -> ExtractSettings | None:
        """Return where the stage reads the model; nowhere where activations are stored."""
        if self.activations is not None:
            return None
        return ExtractSettings(hooks=self._hooks, positions="all")

    def result_names(self) -> ResultNames:
        """Return the held-out variance explained of each dictionary, by its name."""
        one = {name for name, each in self.dictionaries.items() if len(each.written) == 1}
        several = {name: "hook point" for name in self.dictionaries if name not in one}
        return ResultNames(
            names=tuple(name for name in self.dictionaries if name in one),
            against=("untrained", "linear map"),
            with_names=several,
        )

    def with_seed(self, seed: int) -> tuple[Training, ShuffleSettings]:
        """Return recipe and shuffling with the experiment's seed where they name none."""
        training, shuffle = self.training, self.shuffle
        if "seed" not in training.model_fields_set:
            training = training.model_copy(update={"seed": seed})
        if "seed" not in shuffle.model_fields_set:
            shuffle = shuffle.model_copy(update={"seed": seed})
        return training, shuffle

    def located(self, base: Path) -> CorpusSettings:
        """Return the corpus with the place of its texts beside the experiment file."""
        assert self.corpus is not None
        found = self.files(base)
        if not found:
            return self.corpus
        return self.corpus.model_copy(update={"texts": str(found["corpus.texts"])})

    def problems(self, base: Path) -> tuple[str, ...]:
        """Return what is wrong with texts, machine, and the names of stored activations."""
        found = list(super().problems(base))
        found += self._machine_problems()
        if self.activations is not None:
            for hook in self._hooks:
                try:
                    parse_hook_point(hook)
                except SondeError as error:
                    found.append(f"dictionaries: {error} Stored activations have sonde's names.")
        return tuple(found)

    def _machine_problems(self) -> list[str]:
        recipe = self.training
        if recipe.optimiser == Adam() and not recipe.compile:
            return []  # nothing is asked of the machine, and torch need not be loaded to say so
        from sonde.dictionaries.training.machine import check_machine
        from sonde.models.devices import device_named

        try:
            check_machine(recipe, device_named(self.model.device if self.model else "auto"))
        except SondeError as error:
            return [f"training: {error}"]
        return []

    def estimate(self, facts: "Facts") -> Estimate:
        """Count the passes, the steps, the buffer, the weights with their moments."""
        from sonde.experiments.dictionary_estimate import dictionary_estimate

        return dictionary_estimate(facts, self)

    def run(self, context: Context) -> Outcome:
        """Train, score on held-out text, and look at every latent."""
        from sonde.experiments.stages.dictionary_files import finish
        from sonde.experiments.stages.dictionary_run import train_all

        source, trained = train_all(self, context)
        return finish(self, context, source, trained)

    def open(self, folder: Path) -> "TrainedDictionaries":
        """Return the dictionaries."""
        from sonde.experiments.stages.dictionary_files import ABOUT, TrainedDictionaries

        about = read_json(folder / ABOUT)
        given = about["corpus"]
        corpus = None if given is None else CorpusSettings.model_validate(given)
        return TrainedDictionaries(folder, tuple(about["names"]), corpus)
