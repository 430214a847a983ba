"""Checkpoints: folders that are whole or absent, and of which the last few are kept."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint, full_disk_named, jsonable, read_json, write_json

STATE = "state.json"
_NAMED = re.compile(r"step-(\d{9})")


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """What was stored at a step: tensors by the name of their owner, and facts as JSON."""

    step: int
    tensors: Mapping[str, Mapping[str, Tensor]]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of one training in a folder; the last ``keep`` stay.

    ``identity`` is all that the training's course depends on, as JSON values: one of another
    identity is refused, and what differs is named.
    """

    folder: Path
    identity: Mapping[str, Any]
    keep: int = 3

    def save(
        self, step: int, tensors: Mapping[str, Mapping[str, Tensor]], facts: Mapping[str, Any]
    ) -> Path:
        """Write a checkpoint aside, sync it, rename it; none is removed.

        Processes that store together ``tidy`` once all have: before, one that is killed would
        leave them without a step that all have.

        Raises:
            SondeError: the disk is full, or the folder may not be written to; what was there stays.
        """
        from safetensors.torch import save_file

        path = self.folder / f"step-{step:09d}"
        aside = self.folder / f".{path.name}.{os.getpid()}.tmp"
        shutil.rmtree(aside, ignore_errors=True)
        try:
            with full_disk_named(path):
                aside.mkdir(parents=True)
                for name, owned in tensors.items():
                    plain = {key: one.detach().cpu().contiguous() for key, one in owned.items()}
                    _whole(aside / f"{name}.safetensors", plain, save_file)
                write_json(
                    aside / STATE,
                    {"step": step, "identity": self.identity, "facts": facts, "of": [*tensors]},
                )
                shutil.rmtree(path, ignore_errors=True)
                aside.replace(path)
                _sync(self.folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return path

    def tidy(self) -> None:
        """Remove checkpoints that are too many, and what killed processes left half written.

        Only the process that stores here may call it.
        """
        for old in self.steps()[: -self.keep]:
            shutil.rmtree(self.folder / f"step-{old:09d}", ignore_errors=True)
        for aside in self.folder.glob(".step-*.tmp"):
            shutil.rmtree(aside, ignore_errors=True)

    def steps(self) -> list[int]:
        """Return the steps that have a checkpoint, ascending."""
        if not self.folder.is_dir():
            return []
        matched = (_NAMED.fullmatch(one.name) for one in self.folder.iterdir())
        return sorted(int(one[1]) for one in matched if one is not None)

    def latest(self, device: torch.device | str = "cpu") -> Checkpoint | None:
        """Read the last checkpoint; None where there is none.

        Raises:
            SondeError: it is damaged, or of another configuration.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        steps = self.steps()
        if not steps:
            return None
        path = self.folder / f"step-{steps[-1]:09d}"
        state = read_json(path / STATE)
        self._same(path, state["identity"])
        try:
            tensors = {
                name: load_file(path / f"{name}.safetensors", device=str(device))
                for name in state["of"]
            }
        except (OSError, SafetensorError) as error:
            raise SondeError(
                f"The checkpoint {path} cannot be read: {error}.",
                fix=f"Delete the folder {path.name}; training then goes on from the one before.",
            ) from None
        return Checkpoint(steps[-1], tensors, state["facts"])

    def _same(self, path: Path, there: Mapping[str, Any]) -> None:
        here = jsonable(dict(self.identity))
        if fingerprint(here) == fingerprint(there):
            return
        said = "; ".join(
            f"{key} {a!r} there, {b!r} here" for key, a, b in _differences(there, here)
        )
        raise SondeError(
            f"The checkpoint {path} is of another configuration: {said}.",
            fix="Train with the same settings, or into another folder.",
        )


def _whole(path: Path, tensors: dict[str, Tensor], save: Any) -> None:
    save(tensors, path)
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _differences(a: Any, b: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Return the first few values that differ, by their path."""
    if isinstance(a, dict) and isinstance(b, dict):
        keys = sorted({*a, *b})
        inside = (
            _differences(a.get(key), b.get(key), f"{path}.{key}" if path else key) for key in keys
        )
        return [one for found in inside for one in found][:4]
    return [] if a == b else [(path, a, b)]
