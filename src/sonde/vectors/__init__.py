"""Directions that stand for a trait: methods, cleaning, sets and their files."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily
from sonde.vectors.settings import GradientSettings, VectorSettings

if TYPE_CHECKING:
    from sonde.vectors.advice import Advice, advise
    from sonde.vectors.build import vectors_from
    from sonde.vectors.cleaning import energy_share
    from sonde.vectors.cosines import Cosines, cosine_matrix
    from sonde.vectors.exports import export_vectors, read_control_vector
    from sonde.vectors.methods import METHODS
    from sonde.vectors.vector import EditKind, Vector
    from sonde.vectors.vector_set import HeldOut, VectorSet

__all__ = [
    "METHODS",
    "Advice",
    "Cosines",
    "EditKind",
    "GradientSettings",
    "HeldOut",
    "Vector",
    "VectorSet",
    "VectorSettings",
    "advise",
    "cosine_matrix",
    "energy_share",
    "export_vectors",
    "read_control_vector",
    "vectors_from",
]

# An experiment file is read with the settings alone; fitting imports torch.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "METHODS": "methods",
        "Advice": "advice",
        "Cosines": "cosines",
        "EditKind": "vector",
        "HeldOut": "vector_set",
        "Vector": "vector",
        "VectorSet": "vector_set",
        "advise": "advice",
        "cosine_matrix": "cosines",
        "energy_share": "cleaning",
        "export_vectors": "exports",
        "read_control_vector": "exports",
        "vectors_from": "build",
    },
)
