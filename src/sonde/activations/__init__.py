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
    from sonde.activations.mixing import Mixing, mixing_of, mixing_of_chunks
    from sonde.activations.moments import ClassMoments, Moments, mean_difference, stream_moments
    from sonde.activations.origin import Origin
    from sonde.activations.row_batches import RowBatch, RowSource, TensorRows
    from sonde.activations.row_statistics import RowStatistics, statistics_of
    from sonde.activations.saving import save_activations
    from sonde.activations.settings import ExtractSettings
    from sonde.activations.shuffled import CorpusRows
    from sonde.activations.shuffled_settings import ShuffleSettings
    from sonde.activations.shuffled_store import StoreRows
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
    "CorpusRows",
    "ExtractSettings",
    "ImportSettings",
    "MassiveDimensions",
    "MassiveSettings",
    "Mixing",
    "Moments",
    "Origin",
    "Problem",
    "RowBatch",
    "RowSource",
    "RowStatistics",
    "RowTable",
    "ShuffleSettings",
    "Skipped",
    "StoreRows",
    "TensorRows",
    "TokenActivations",
    "TokenTaskSettings",
    "extract",
    "import_activations",
    "massive_dimensions",
    "mean_difference",
    "mixing_of",
    "mixing_of_chunks",
    "save_activations",
    "statistics_of",
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
        "CorpusRows": "shuffled",
        "ExtractSettings": "settings",
        "ImportSettings": "foreign_settings",
        "MassiveDimensions": "massive_report",
        "MassiveSettings": "massive_report",
        "Mixing": "mixing",
        "Moments": "moments",
        "Origin": "origin",
        "Problem": "verify",
        "RowBatch": "row_batches",
        "RowSource": "row_batches",
        "RowStatistics": "row_statistics",
        "RowTable": "activations",
        "ShuffleSettings": "shuffled_settings",
        "Skipped": "activations",
        "StoreRows": "shuffled_store",
        "TensorRows": "row_batches",
        "TokenActivations": "token_tasks",
        "TokenTaskSettings": "token_task_settings",
        "extract": "extraction",
        "import_activations": "foreign",
        "massive_dimensions": "massive",
        "mean_difference": "moments",
        "mixing_of": "mixing",
        "mixing_of_chunks": "mixing",
        "save_activations": "saving",
        "statistics_of": "row_statistics",
        "stream": "streaming",
        "stream_moments": "moments",
        "token_task": "token_tasks",
        "verify_store": "verify",
    },
)
