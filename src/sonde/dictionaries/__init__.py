"""Sparse dictionaries: SAEs, transcoders and crosscoders from independent choices."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.sparsity import BatchTopK, Gated, JumpReLU, ReLU, TopK

if TYPE_CHECKING:
    from sonde.dictionaries.dictionary import Dictionary, Reconstruction
    from sonde.dictionaries.latents import Latents

__all__ = [
    "Architecture",
    "BatchTopK",
    "Dictionary",
    "Gated",
    "JumpReLU",
    "Latents",
    "ReLU",
    "Reconstruction",
    "TopK",
]

# An experiment file is read with the settings alone; the rest imports torch.
__getattr__, __dir__ = lazily(
    __name__,
    {"Dictionary": "dictionary", "Latents": "latents", "Reconstruction": "dictionary"},
)
