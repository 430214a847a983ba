"""Directions that stand for a trait: methods, cleaning, sets and their files."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily

if TYPE_CHECKING:
    from sonde.vectors.cosines import Cosines, cosine_matrix
    from sonde.vectors.vector import EditKind, Vector
    from sonde.vectors.vector_set import HeldOut, VectorSet

__all__ = ["Cosines", "EditKind", "HeldOut", "Vector", "VectorSet", "cosine_matrix"]

# Settings are read without torch: a name is imported when it is first used.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "Cosines": "cosines",
        "EditKind": "vector",
        "HeldOut": "vector_set",
        "Vector": "vector",
        "VectorSet": "vector_set",
        "cosine_matrix": "cosines",
    },
)
