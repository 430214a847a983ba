"""Activations: extract them, keep them, take their moments, find their massive dimensions."""

from sonde.activations.activations import (
    Activations,
    ActivationsInMemory,
    Origin,
    RowTable,
    Skipped,
)
from sonde.activations.extract import extract
from sonde.activations.settings import ExtractSettings
from sonde.activations.store import ActivationStore
from sonde.activations.stream import ActivationStream, stream
from sonde.activations.verify import Problem, verify_store

__all__ = [
    "ActivationStore",
    "ActivationStream",
    "Activations",
    "ActivationsInMemory",
    "ExtractSettings",
    "Origin",
    "Problem",
    "RowTable",
    "Skipped",
    "extract",
    "stream",
    "verify_store",
]
