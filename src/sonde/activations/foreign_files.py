"""Reading other tools' files of arrays, without ever unpickling an object."""

import json
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from sonde.core.errors import SondeError

# The one array of a file that holds nothing else has this key.
WHOLE = "array"


def read_arrays(path: Path) -> dict[str, Any]:
    """Read the named arrays of a file; the array of an ``.npy`` is called ``array``.

    Raises:
        SondeError: the file is missing, damaged, of an unknown kind, or holds pickled objects.
    """
    if path.suffix not in READERS:
        raise SondeError(
            f"{path} is of no kind that can be imported.",
            fix=f"Kinds are {', '.join(READERS)}.",
        )
    if not path.is_file():
        raise SondeError(f"{path} does not exist.")
    try:
        return dict(READERS[path.suffix](path))
    except (OSError, EOFError, zipfile.BadZipFile, SafetensorError) as error:
        raise SondeError(f"{path} cannot be read: {error}") from None


def _read_npz(path: Path) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    if not zipfile.is_zipfile(path):
        raise SondeError(f"{path} is not an .npz file, which is a zip file of arrays.")
    with np.load(path, allow_pickle=False) as file:
        for key in file.files:
            found[key] = _safely(path, key, lambda key=key: file[key])
    return found


def _read_npy(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as file:
        if not file.read(6).startswith(b"\x93NUMPY"):
            raise SondeError(f"{path} is not an .npy file: it does not begin like one.")
    return {WHOLE: _safely(path, WHOLE, lambda: np.load(path, allow_pickle=False))}


def _safely(path: Path, key: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise SondeError(f"{path}: {key!r} cannot be read: {error}") from None
        raise SondeError(
            f"{path}: {key!r} holds Python objects, which could run any code when unpickled.",
            fix=f"Where the file was made, save it as text: np.array({key}, dtype=str).",
        ) from None


def _read_torch(path: Path) -> Mapping[str, Any]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        kind = re.search(r"Unsupported \w+: GLOBAL (\S+)", str(error))  # torch advises unsafe ways
        reason = f"it holds {kind[1]}" if kind else str(error).strip().split("\n")[0]
        raise SondeError(
            f"{path} holds more than tensors, or is damaged, and was not read: {reason}.",
            fix="Where the file was made, save a dictionary of tensors, or a .safetensors file.",
        ) from None
    if isinstance(found, Tensor):
        return {WHOLE: found}
    if not isinstance(found, Mapping):
        raise SondeError(
            f"{path} holds a {type(found).__name__}.", fix="Save a tensor or a dictionary of them."
        )
    return {str(key): value for key, value in found.items()}


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    """Read tensors; ids may lie in the metadata, as JSON lists."""
    with safe_open(path, framework="pt") as file:
        found: dict[str, Any] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata() or {}
    for key, text in metadata.items():
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            continue
        if isinstance(value, list) and key not in found:
            found[key] = value
    return found


READERS: dict[str, Callable[[Path], Mapping[str, Any]]] = {
    ".npz": _read_npz,
    ".npy": _read_npy,
    ".pt": _read_torch,
    ".pth": _read_torch,
    ".safetensors": _read_safetensors,
}
