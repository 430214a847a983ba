"""Tensors written for other libraries."""

from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from sonde.core.files import full_disk_named


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors, with nothing in the header.

    Raises:
        SondeError: the disk is full or the folder may not be written to.
    """
    with full_disk_named(path):
        save_file({name: one.contiguous().clone() for name, one in tensors.items()}, path)
