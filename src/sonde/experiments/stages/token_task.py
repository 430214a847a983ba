"""``token_task``: is the next token " the"? Rows of a folder of text, read in one pass."""

from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sonde.activations.settings import ExtractSettings
from sonde.activations.token_task_settings import TokenTaskSettings
from sonde.core.errors import SondeError
from sonde.core.files import read_json, write_json
from sonde.data.text_folders import STANDARD_LIBRARY, TextFolder, read_texts_of
from sonde.experiments.stage import Context, Estimate, Outcome, resolved_path
from sonde.experiments.stages.extract import activations_summary
from sonde.experiments.stages.probe import WITH_LABELS
from sonde.experiments.stages.token_texts import write_shown
from sonde.experiments.stages.with_model import ModelStage
from sonde.models.spec import ModelSpec

if TYPE_CHECKING:
    from sonde.activations.token_rows import TokenTaskFacts
    from sonde.activations.token_tasks import TokenActivations
    from sonde.experiments.facts import Facts

READ = "read.json"  # from which model, where: what a later process reads the rows by


class TokenTaskStage(ModelStage, TokenTaskSettings):
    """Pick tokens that are, or come before, one of a set, and as many others; read the model there.

    Only which tokens they are is stored. Their activations go to the stages of the same run in
    memory; a later run that needs them runs the model again.
    """

    kind: Literal["token_task"] = Field(
        default="token_task", description="Ask of tokens what they are, or what comes next."
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = WITH_LABELS
    uses_seed: ClassVar[bool] = True
    stays_open: ClassVar[bool] = True  # its activations are computed when first asked for

    def files(self, base: Path) -> Mapping[str, Path]:
        """Return the folder of texts, unless they are the standard library's."""
        of_library = self.texts.startswith(STANDARD_LIBRARY)
        return {} if of_library else {"texts": resolved_path(self.texts, base)}

    def problems(self, base: Path) -> tuple[str, ...]:
        """Return what is wrong with the folder."""
        try:
            _texts(self._source(base))
        except SondeError as error:
            return (str(error),)
        return ()

    def reads(self) -> ExtractSettings:
        """Return where the stage reads the model."""
        return self.reading()

    def settings(self) -> TokenTaskSettings:
        """Return the settings that are the task's own."""
        return TokenTaskSettings.model_validate(
            self.model_dump(include=set(TokenTaskSettings.model_fields))
        )

    def estimate(self, facts: "Facts") -> Estimate:
        """Count one forward pass over the texts, and the rows that are held."""
        from sonde.experiments.token_estimate import token_estimate

        texts = _texts(self._source(facts.planned.base))
        return token_estimate(facts, self.settings(), self.model, texts)

    def run(self, context: Context) -> Outcome:
        """Pick rows, read them, and keep which they are."""
        from sonde.activations.token_picking import asked_of, pick_rows
        from sonde.activations.token_rows import save_rows
        from sonde.activations.token_shown import shown_chunks
        from sonde.activations.token_tasks import Source, read_rows

        model, texts = context.load_model(), _texts(self._source(context.base))
        context.say(f"{context.name}: {texts}")
        settings, tokenizer = self.settings(), model.tokenizer
        asked = asked_of(tokenizer, model.info.context, texts, settings, seed=context.seed)
        rows, facts = pick_rows(asked, settings, seed=context.seed)
        context.say(f"{context.name}: {facts}")
        source = Source(lambda: model, self.reading(), context.progress)
        found = read_rows(rows, facts, source)
        save_rows(found.picked, found.facts, context.folder)
        write_shown(shown_chunks(tokenizer, asked, self.task), context.folder)
        spec = context.model
        write_json(
            context.folder / READ,
            {
                "origin": found.origin.model_dump(mode="json"),
                "settings": self.reading().model_dump(mode="json"),
                "model": None if spec is None else spec.model_dump(mode="json"),
                "skipped": [[one.example, one.reason, one.detail] for one in found.skipped],
            },
        )
        # The model must not stay for the sake of rows that are in memory already.
        tensors = {hook: found.tensor(hook) for hook in found.hooks}
        summary = {**_summary(found), "non_finite": len(rows) - len(found)}
        return Outcome(summary, held=self.open(context.folder).hold(tensors))

    def open(self, folder: Path) -> "TokenActivations":
        """Return the rows; their activations are computed when they are first asked for."""
        from sonde.activations.activations import Skipped
        from sonde.activations.origin import Origin
        from sonde.activations.token_rows import load_rows
        from sonde.activations.token_tasks import Source, TokenActivations
        from sonde.models.loading import load

        stored = read_json(folder / READ)
        source = Source(
            partial(load, ModelSpec.model_validate(stored["model"])),
            ExtractSettings.model_validate(stored["settings"]),
        )
        skipped = tuple(Skipped(*one) for one in stored["skipped"])
        origin = Origin.model_validate(stored["origin"])
        return TokenActivations(*load_rows(folder), origin, source, skipped)

    def _source(self, base: Path) -> str:
        found = self.files(base)
        return str(found["texts"]) if found else self.texts


@lru_cache(maxsize=1)
def _texts(source: str) -> TextFolder:
    """Read a folder once: plan, estimate and run ask for it in turn."""
    return read_texts_of(source)


def _summary(found: "TokenActivations") -> dict[str, Any]:
    facts: TokenTaskFacts = found.facts
    return {
        **activations_summary(found),
        **facts.model_dump(mode="json"),
        "natural_rate": facts.natural_rate,
        "always_no": {
            "accuracy_in_the_texts": 1 - facts.natural_rate,
            "accuracy": 1 - facts.rows_positive / facts.rows,
            "balanced_accuracy": 0.5,
        },
        "says": str(facts),
    }
