"""``dictionary``: train SAEs, transcoders and crosscoders on one corpus, by one forward pass."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from sonde.activations.settings import ExtractSettings
from sonde.activations.shuffled_settings import ShuffleSettings
from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.core.files import read_json
from sonde.data.corpus_settings import CorpusSettings
from sonde.data.text_folders import STANDARD_LIBRARY
from sonde.dictionaries.samples.settings import SampleSettings
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.training.settings import Training
from sonde.experiments.result_names import ResultNames
from sonde.experiments.stage import Context, Estimate, Outcome, resolved_path
from sonde.experiments.stages.with_model import ModelStage

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts
    from sonde.experiments.stages.dictionary_files import TrainedDictionaries

HUB = "hf:"
WIDE = 1 << 12  # a width, where none is known yet
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=64)]


class KeptCheckpoints(Config):
    """Every how many steps a checkpoint is stored, and how many stay."""

    every: int = Field(default=500, ge=1)
    keep: int = Field(default=3, ge=1)


class DictionaryStage(ModelStage):
    """Train dictionaries by name from the same forward passes, and score them on held-out text.

    A killed run goes on from its last checkpoint, and ends with the same weights.
    """

    kind: Literal["dictionary"] = Field(
        default="dictionary", description="Train SAEs, transcoders and crosscoders."
    )
    corpus: CorpusSettings = Field(description="The texts, and what of them is held out.")
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

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "dictionaries"
    resumes: ClassVar[bool] = True
    uses_seed: ClassVar[bool] = True
    has_table: ClassVar[bool] = True

    @field_validator("corpus", mode="before")
    @classmethod
    def _texts_are_enough(cls, given: Any) -> Any:
        return {"texts": given} if isinstance(given, str) else given

    def files(self, base: Path) -> Mapping[str, Path]:
        """Return the texts, unless they are the standard library's or the hub's."""
        texts = self.corpus.texts
        elsewhere = texts.startswith((STANDARD_LIBRARY, HUB))
        return {} if elsewhere else {"corpus.texts": resolved_path(texts, base)}

    def reads(self) -> ExtractSettings:
        """Return where the stage reads the model."""
        hooks = dict.fromkeys(
            hook for one in self.dictionaries.values() for hook in (*one.sources, *one.targets)
        )
        return ExtractSettings(hooks=tuple(hooks), positions="all")

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
        found = self.files(base)
        if not found:
            return self.corpus
        return self.corpus.model_copy(update={"texts": str(found["corpus.texts"])})

    def problems(self, base: Path) -> tuple[str, ...]:
        """Return what is wrong with the texts, and choices that do not go together."""
        found = list(super().problems(base))
        for name, one in self.dictionaries.items():
            try:
                one.foreseen(WIDE)
            except SondeError as error:
                found.append(f"dictionaries.{name}: {error}")
        return tuple(found)

    def estimate(self, facts: "Facts") -> Estimate:
        """Count the passes, the steps, the buffer, the weights with their moments."""
        from sonde.experiments.dictionary_estimate import dictionary_estimate

        return dictionary_estimate(facts, self)

    def run(self, context: Context) -> Outcome:
        """Train, score on held-out text, and look at every latent."""
        from sonde.experiments.stages.dictionary_files import finish
        from sonde.experiments.stages.dictionary_run import train_all

        rows, trained = train_all(self, context)
        return finish(self, context, rows, trained)

    def open(self, folder: Path) -> "TrainedDictionaries":
        """Return the dictionaries."""
        from sonde.experiments.stages.dictionary_files import ABOUT, TrainedDictionaries

        about = read_json(folder / ABOUT)
        corpus = CorpusSettings.model_validate(about["corpus"])
        return TrainedDictionaries(folder, tuple(about["names"]), corpus)
