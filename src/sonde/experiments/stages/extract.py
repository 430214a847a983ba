"""``extract``: run the model over the data and keep activations on disk."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sonde.activations.settings import ExtractSettings
from sonde.experiments.stage import Context, Estimate, Outcome, Reference
from sonde.experiments.stages.texts import keeps_each, write_texts
from sonde.experiments.stages.with_model import ModelStage

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts

STORE = "activations"


class ExtractStage(ModelStage, ExtractSettings):
    """Read activations at hook points and positions, one forward pass for all of them."""

    kind: Literal["extract"] = Field(default="extract", description="Keep activations on disk.")
    data: str = Field(description="The stage whose examples the model reads.")

    version: ClassVar[int] = 3
    gives: ClassVar[str] = "activations"
    resumes: ClassVar[bool] = True
    store: ClassVar[str] = STORE

    def inputs(self) -> tuple[Reference, ...]:
        """Return the data."""
        return (Reference("data", self.data, ("examples",)),)

    def extract_settings(self) -> ExtractSettings:
        """Return the settings that are the extraction's own."""
        return ExtractSettings.model_validate(
            self.model_dump(include=set(ExtractSettings.model_fields))
        )

    def reads(self) -> ExtractSettings:
        """Return where the stage reads the model."""
        return self

    def estimate(self, facts: "Facts") -> Estimate:
        """Count the forward pass and the stored activations."""
        return facts.extraction(self.data, self.extract_settings(), self.model)

    def run(self, context: Context) -> Outcome:
        """Extract into the store; one that was begun goes on."""
        from sonde.activations.extraction import extract

        model, examples = context.load_model(), context.open(self.data)
        settings = self.extract_settings()
        activations = extract(
            model, examples, settings, out=context.folder / STORE, progress=context.progress
        )
        if keeps_each(settings):
            write_texts(model, examples, settings, context.folder)
        return Outcome(activations_summary(activations))

    def verify(self, folder: Path) -> list[str]:
        """Return what is wrong with the store."""
        from sonde.activations.verify import verify_store

        return [str(problem) for problem in verify_store(folder / STORE)]

    def open(self, folder: Path) -> Any:
        """Return the store."""
        from sonde.activations.store import ActivationStore

        return ActivationStore.open(folder / STORE)


def activations_summary(activations: Any) -> dict[str, Any]:
    """Return what gates and tables may ask of activations: counts, places, reasons."""
    reasons = Counter(skipped.reason for skipped in activations.skipped)
    return {
        "rows": len(activations.rows),
        "examples": len(set(activations.rows.example.tolist())),
        "hooks": [str(hook) for hook in activations.hooks],
        "positions": list(activations.origin.positions),
        "skipped": dict(sorted(reasons.items())),
    }
