"""Activations: extract them, keep them, take their moments, find their massive dimensions."""

from sonde.activations.activations import (
    Activations,
    ActivationsInMemory,
    Origin,
    RowTable,
    Skipped,
)
from sonde.activations.extract import extract
from sonde.activations.foreign import ImportSettings, import_activations
from sonde.activations.massive import MassiveDimensions, MassiveSettings, massive_dimensions
from sonde.activations.moments import ClassMoments, Moments, mean_difference, stream_moments
from sonde.activations.saving import save_activations
from sonde.activations.settings import ExtractSettings
from sonde.activations.store import ActivationStore
from sonde.activations.stream import ActivationStream, stream
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
    "extract",
    "import_activations",
    "massive_dimensions",
    "mean_difference",
    "save_activations",
    "stream",
    "stream_moments",
    "verify_store",
]
