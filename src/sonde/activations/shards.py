"""Shards: safetensors files with some rows of one hook point."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sonde.activations.manifest import REMAKE, FileRecord, ShardRecord, record_of, shard_name
from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_atomic
from sonde.core.hooks import HookPoint

# The rows of all hook points that are held before they are written.
SHARD_BYTES = 64 * 2**20
KEY = "activations"


def write_shard(
    folder: Path, number: int, tensors: Mapping[HookPoint, Tensor], origin: Origin
) -> ShardRecord:
    """Write one shard, a file for each hook point.

    Each file says what it holds in one metadata entry: several would be in no fixed order, and the
    files of two equal runs would differ.

    Raises:
        SondeError: the disk is full or the folder may not be written to.
    """
    files: dict[str, FileRecord] = {}
    rows = 0
    for hook, tensor in tensors.items():
        rows = len(tensor)
        about = {
            "kind": "activations",
            "hook": str(hook),
            "shard": number,
            "origin": origin.model_dump(mode="json"),
        }
        files[shard_name(str(hook), number)] = _write(
            folder / shard_name(str(hook), number), tensor, canonical_json(about)
        )
    return ShardRecord(rows=rows, files=files)


def _write(path: Path, tensor: Tensor, about: str) -> FileRecord:
    records: list[FileRecord] = []

    def write(aside: Path) -> None:
        save_file({KEY: tensor.contiguous()}, aside, metadata={"sonde": about})
        records.append(record_of(aside))

    write_atomic(path, write)
    return records[0]


def read_shard(path: Path) -> Tensor:
    """Map a shard into memory, ``[row, d_model]``.

    Raises:
        SondeError: the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor(KEY)
    except (SafetensorError, OSError) as error:
        raise SondeError(f"{path} cannot be read: {error}", fix=REMAKE) from None


class ShardBuffer:
    """Room for the rows of one shard at every hook point, used again for the next."""

    def __init__(self) -> None:
        self._tensors: dict[HookPoint, Tensor] = {}
        self._rows = 0

    def start(self) -> None:
        """Begin a shard."""
        self._rows = 0

    def add(self, tensors: Mapping[HookPoint, Tensor]) -> None:
        """Append the rows of a batch, ``[row, d_model]`` for each hook point."""
        count = len(next(iter(tensors.values())))
        end = self._rows + count
        for hook, tensor in tensors.items():
            room = self._tensors.get(hook)
            if room is None or len(room) < end:
                grown = tensor.new_empty((_room(end), *tensor.shape[1:]), device="cpu")
                if room is not None:
                    grown[: self._rows] = room[: self._rows]
                self._tensors[hook] = room = grown
            room[self._rows : end].copy_(tensor.detach())
        self._rows = end

    def rows(self, shapes: Mapping[HookPoint, tuple[int, ...]], dtype: torch.dtype):
        """Return the rows of the shard, ``[row, d_model]`` for each hook point, not copied."""
        return {
            hook: self._tensors[hook][: self._rows]
            if hook in self._tensors
            else torch.empty((0, *shape), dtype=dtype)
            for hook, shape in shapes.items()
        }


def _room(rows: int) -> int:
    """Grow by an eighth more than needed, so that few copies are made and little is wasted."""
    return rows + rows // 8
