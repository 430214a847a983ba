"""Artifact files: one safetensors file whose header holds everything needed to use it.

The header has a single metadata key, because safetensors writes several in no fixed order: equal
artifacts are equal files.
"""

import json
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sonde.core.errors import SondeError

KEY = "sonde"
ALTERED = "The file was altered; make it again."


def plain(tensor: Tensor) -> Tensor:
    """Return a float32 copy on the CPU; safetensors refuses tensors that share memory."""
    return tensor.detach().to("cpu", torch.float32).contiguous().clone()


def read_file(
    path: Path, artifact: str, called: str, newest: int
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the header and the tensors of a file that sonde wrote.

    Raises:
        SondeError: the file is missing, damaged, of another kind, or of a later format.
    """
    if not path.is_file():
        raise SondeError(f"{path} does not exist.", fix=f"Give {called}'s .safetensors file.")
    try:
        opened: Any = safe_open(path, framework="pt")
        with opened as file:
            header: dict[str, str] = file.metadata() or {}
            given = _metadata(path, header.get(KEY), artifact, called)
            if given.get("format") not in range(1, newest + 1):
                raise SondeError(
                    f"{path} has {artifact} format {given.get('format')}; this sonde reads up to "
                    f"{newest}.",
                    fix=f"It was written by sonde {given.get('sonde_version')}; use that or a "
                    "later one.",
                )
            return given, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SondeError(
            f"{path} is not a whole safetensors file ({error}).", fix="Copy or make it again."
        ) from None


def _metadata(path: Path, text: str | None, artifact: str, called: str) -> dict[str, Any]:
    try:
        read: Any = json.loads(text or "")
    except json.JSONDecodeError:
        read = None
    given = cast(dict[str, Any], read) if isinstance(read, dict) else {}
    if given.get("artifact") != artifact:
        found = given.get("artifact")
        raise SondeError(
            f"{path} is not {called} that sonde wrote{f', but a {found}' if found else ''}.",
            fix=f"Give {called}'s .safetensors file, from the folder of a result.",
        )
    return given
