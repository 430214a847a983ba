"""Models: loading, hook points, capture and edits in a forward pass, generation."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily

if TYPE_CHECKING:
    from sonde.models.entries import Entry, catalog
    from sonde.models.loading import load
    from sonde.models.memory import MemoryEstimate, available_memory, estimate
    from sonde.models.model import Model, ModelInfo
    from sonde.models.spec import ModelSpec

__all__ = [
    "Entry",
    "MemoryEstimate",
    "Model",
    "ModelInfo",
    "ModelSpec",
    "available_memory",
    "catalog",
    "estimate",
    "load",
]

# Torch and transformers take seconds to import, so a name is imported when it is first used.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "Entry": "entries",
        "MemoryEstimate": "memory",
        "Model": "model",
        "ModelInfo": "model",
        "ModelSpec": "spec",
        "available_memory": "memory",
        "catalog": "entries",
        "estimate": "memory",
        "load": "loading",
    },
)
