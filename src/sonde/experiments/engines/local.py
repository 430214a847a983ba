"""The local engine: stages run in this process, one after another, with one model in memory."""

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING

from sonde.experiments.stage import Context, Outcome, Stage

if TYPE_CHECKING:
    from sonde.models.model import Model
    from sonde.models.spec import ModelSpec


class LocalEngine:
    """Runs stages here. The model of the last stage stays loaded until another is wanted."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._spec: ModelSpec | None = None
        self._model: Model | None = None

    def run(self, stage: Stage, context: Context, spec: "ModelSpec | None") -> Outcome:
        """Run a stage; a model that it does not use is unloaded first, unless it is light."""
        if spec != self._spec and not stage.light:
            self.unload()
        return stage.run(context)

    def holds(self, spec: "ModelSpec") -> bool:
        """Whether this model is in memory already."""
        return self._model is not None and spec == self._spec

    def load_model(self, spec: "ModelSpec") -> "Model":
        """Return the model in memory, loading it if need be."""
        if self._model is None or spec != self._spec:
            from sonde.models.loading import load

            self.unload()
            self._say(f"Loading {spec.name}")
            self._spec, self._model = spec, load(spec)
        return self._model

    def unload(self) -> None:
        """Let go of the model, and give its memory back."""
        self._spec = None
        if self._model is None:
            return
        self._model = None
        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
