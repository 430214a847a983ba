"""Activations: extract them, keep them, take their moments, find their massive dimensions."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily

if TYPE_CHECKING:
    from sonde.activations.activations import Activations, ActivationsInMemory, RowTable, Skipped
    from sonde.activations.extraction import extract
    from sonde.activations.foreign import import_activations
    from sonde.activations.foreign_settings import ImportSettings
    from sonde.activations.massive import massive_dimensions
    from sonde.activations.massive_report import MassiveDimensions, MassiveSettings
    from sonde.activations.moments import ClassMoments, Moments, mean_difference, stream_moments
    from sonde.activations.origin import Origin
    from sonde.activations.saving import save_activations
    from sonde.activations.settings import ExtractSettings
    from sonde.activations.store import ActivationStore
    from sonde.activations.streaming import ActivationStream, stream
    from sonde.activations.token_task_settings import TokenTaskSettings
    from sonde.activations.token_tasks import TokenActivations, token_task
    from sonde.activations.verify import Problem, verify_store

__all__ = [
    "ActivationStore",
    "ActivationStream",
    "Activations",
    "ActivationsInMemory",
    "ClassMoments",
    "ExtractSettings",
    "ImportSettings",
    "MassiveDimensions",
    "MassiveSettings",
    "Moments",
    "Origin",
    "Problem",
    "RowTable",
    "Skipped",
    "TokenActivations",
    "TokenTaskSettings",
    "extract",
    "import_activations",
    "massive_dimensions",
    "mean_difference",
    "save_activations",
    "stream",
    "stream_moments",
    "token_task",
    "verify_store",
]

# Settings are read without torch, which takes seconds to import: a name is imported when it is
# first used. No module here has the name of a function (docs/decisions/0006).
__getattr__, __dir__ = lazily(
    __name__,
    {
        "ActivationStore": "store",
        "ActivationStream": "streaming",
        "Activations": "activations",
        "ActivationsInMemory": "activations",
        "ClassMoments": "moments",
        "ExtractSettings": "settings",
        "ImportSettings": "foreign_settings",
        "MassiveDimensions": "massive_report",
        "MassiveSettings": "massive_report",
        "Moments": "moments",
        "Origin": "origin",
        "Problem": "verify",
        "RowTable": "activations",
        "Skipped": "activations",
        "TokenActivations": "token_tasks",
        "TokenTaskSettings": "token_task_settings",
        "extract": "extraction",
        "import_activations": "foreign",
        "massive_dimensions": "massive",
        "mean_difference": "moments",
        "save_activations": "saving",
        "stream": "streaming",
        "stream_moments": "moments",
        "token_task": "token_tasks",
        "verify_store": "verify",
    },
)
