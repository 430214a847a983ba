"""Files of other libraries, read so that nothing in them can run: weights, settings."""

import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.core.files import read_json

HALVES = {torch.bfloat16: "bfloat16", torch.float16: "float16"}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read every tensor of a file.

    Raises:
        SondeError: the file is missing or damaged.
    """
    _must_exist(path)
    try:
        opened: Any = safe_open(path, framework="pt")
        with opened as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise _damaged(path, "safetensors", error) from None


def read_npz(path: Path) -> dict[str, Tensor]:
    """Read every array of a file, never a pickled object.

    Raises:
        SondeError: the file is missing or damaged, or holds something other than numbers.
    """
    _must_exist(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise _damaged(path, "npz", error) from None


def read_torch(path: Path) -> dict[str, Any]:
    """Read a file of ``torch.save``: tensors, numbers and texts, nothing that could run.

    Raises:
        SondeError: the file is missing or damaged, or holds objects of other kinds.
    """
    _must_exist(path)
    try:
        read: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling raises whatever the file makes it raise
        raise SondeError(
            f"{path} is not a file of plain tensors: {_line(error)}.",
            fix="Files that hold other objects are not read, because reading one can run code in "
            "it. Save its state_dict() with the library that made it, and give that file.",
        ) from None
    if not isinstance(read, dict):
        raise SondeError(f"{path} holds a {type(read).__name__}, not a state_dict.")
    return cast(dict[str, Any], read)


def read_settings(path: Path) -> dict[str, Any]:
    """Read a mapping from JSON or YAML.

    Raises:
        SondeError: the file is missing, cannot be read, or holds something else.
    """
    if path.suffix == ".json":
        read: Any = read_json(path)
    else:
        import yaml

        _must_exist(path)
        try:
            read = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise SondeError(f"{path} is not valid YAML: {_line(error)}.") from None
    if not isinstance(read, dict):
        raise SondeError(f"{path} holds a {type(read).__name__}, not a mapping of settings.")
    return cast(dict[str, Any], read)


def in_float32(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return tensors with a fraction as float32, and a note where they were kept in half of it."""
    halves = {HALVES[one.dtype] for one in tensors.values() if one.dtype in HALVES}
    found = {
        name: one.to(torch.float32).contiguous() if one.is_floating_point() else one
        for name, one in tensors.items()
    }
    if not halves:
        return found, ()
    return found, (
        f"The weights were kept in {' and '.join(sorted(halves))}: they are exact in float32, but "
        "what training lost below that precision, thresholds above all, is lost.",
    )


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise SondeError(f"{path} does not exist.")


def _damaged(path: Path, kind: str, error: Exception) -> SondeError:
    return SondeError(
        f"{path} is not a whole {kind} file ({_line(error)}).", fix="Copy or download it again."
    )


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
