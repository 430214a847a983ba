"""Writing activations that are in memory as a store."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sonde.activations import manifest as m
from sonde.activations.activations import ActivationsInMemory
from sonde.activations.shards import SHARD_BYTES, write_shard
from sonde.activations.store import ActivationStore
from sonde.activations.tables import write_row_table, write_skipped
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint


def save_activations(found: ActivationsInMemory, folder: str | Path) -> ActivationStore:
    """Write activations to a new folder as an :class:`ActivationStore`, rows in their order.

    The manifest comes last, so a folder without one is an attempt that did not end.

    Raises:
        SondeError: the folder holds something, another process is writing it, or the disk is full.
    """
    path = Path(folder)
    if path.exists() and any(each.name != m.LOCK for each in path.iterdir()):
        raise SondeError(f"{path} is not empty.", fix="Choose an empty or a new folder.")
    with m.locked(path):
        shards = [
            write_shard(path, number, part, found.origin)
            for number, part in enumerate(_parts(found.tensors, len(found.rows)))
        ]
        write_row_table(path / m.ROWS, found.rows)
        write_skipped(path / m.SKIPPED, found.skipped)
        manifest = m.Manifest(
            origin=found.origin,
            examples=len(set(found.rows.example.tolist())) + len(found.skipped),
            truncated=found.truncated,
            shape={str(hook): tuple(found.tensor(hook).shape[1:]) for hook in found.hooks},
            shards=tuple(shards),
            complete=True,
            skipped=len(found.skipped),
            files={name: m.record_of(path / name) for name in (m.ROWS, m.SKIPPED)},
        )
        m.write_manifest(path, manifest)
    return ActivationStore.open(path)


def _parts(tensors: Mapping[HookPoint, Tensor], rows: int) -> list[dict[HookPoint, Tensor]]:
    row_bytes = sum(tensor[:1].numel() * tensor.element_size() for tensor in tensors.values())
    step = max(1, SHARD_BYTES // max(1, row_bytes))
    edges = torch.arange(0, max(1, rows), step).tolist()
    return [
        {hook: tensor[start : start + step] for hook, tensor in tensors.items()} for start in edges
    ]
