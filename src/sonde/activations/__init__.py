"""Activations: extract them, keep them, take their moments, find their massive dimensions."""

from sonde.activations.activations import (
    Activations,
    ActivationsInMemory,
    Origin,
    RowTable,
    Skipped,
)
from sonde.activations.extract import extract
from sonde.activations.massive import MassiveDimensions, MassiveSettings, massive_dimensions
from sonde.activations.moments import ClassMoments, Moments, mean_difference, stream_moments
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
    "MassiveDimensions",
    "MassiveSettings",
    "Moments",
    "Origin",
    "Problem",
    "RowTable",
    "Skipped",
    "extract",
    "massive_dimensions",
    "mean_difference",
    "stream",
    "stream_moments",
    "verify_store",
]
