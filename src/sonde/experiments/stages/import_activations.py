"""``import``: activations made elsewhere, from ``.npz``, ``.npy``, ``.pt`` or safetensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from sonde.activations.foreign_settings import ImportSettings
from sonde.experiments.stage import Context, Outcome, Stage, resolved_path
from sonde.experiments.stages.extract import STORE, activations_summary


class ImportStage(Stage, ImportSettings):
    """Take over existing activations with the ids of their rows."""

    kind: Literal["import"] = Field(default="import", description="Take existing activations.")
    path: str = Field(description="The file; a relative path starts at the experiment file.")

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "activations"
    store: ClassVar[str] = STORE

    def files(self, base: Path) -> Mapping[str, Path]:
        """Return the file."""
        return {"path": resolved_path(self.path, base)}

    def run(self, context: Context) -> Outcome:
        """Read the file and write a store."""
        from sonde.activations.foreign import import_activations

        settings = ImportSettings.model_validate(
            self.model_dump(include=set(ImportSettings.model_fields))
        )
        path = resolved_path(self.path, context.base)
        found = import_activations(path, settings, out=context.folder / STORE)
        return Outcome(activations_summary(found))

    def verify(self, folder: Path) -> list[str]:
        """Return what is wrong with the store."""
        from sonde.activations.verify import verify_store

        return [str(problem) for problem in verify_store(folder / STORE)]

    def open(self, folder: Path) -> Any:
        """Return the store."""
        from sonde.activations.store import ActivationStore

        return ActivationStore.open(folder / STORE)
