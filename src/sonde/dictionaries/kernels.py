"""Whether the sparse products run as Triton kernels, or as torch's own operations."""

import os
from functools import cache
from importlib.util import find_spec
from types import ModuleType

from torch import Tensor

ON_CPU = os.environ.get("TRITON_INTERPRET") == "1"  # Triton's own way to run kernels as Python


@cache
def triton_kernels() -> ModuleType | None:
    """Return the module of Triton kernels; None where triton, which comes with CUDA, is missing."""
    if find_spec("triton") is None:
        return None
    from sonde.dictionaries import triton_products

    return triton_products


def kernels_for(one: Tensor, other: Tensor) -> ModuleType | None:
    """Return the module of Triton kernels where they can take these tensors, else None.

    They take float32, bfloat16 and float16 on a GPU.
    """
    if not (one.is_cuda or ON_CPU):
        return None
    found = triton_kernels()
    fits = found is not None and one.dtype in found.TYPES and other.dtype in found.TYPES
    return found if fits else None
