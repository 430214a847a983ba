"""Reading a store of activations from disk."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sonde.activations import manifest as m
from sonde.activations.activations import Origin, RowTable, Skipped
from sonde.activations.plan import BatchPlan, plan_from_json
from sonde.activations.sealed import read_sealed
from sonde.activations.shards import read_shard
from sonde.activations.tables import read_rows, read_skipped
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, parse_hook_point


@dataclass(frozen=True, slots=True, eq=False)
class StoredBatch:
    """Some rows of a store, ``[row, d_model]`` for each hook point; ``start`` is the first's."""

    tensors: Mapping[HookPoint, Tensor]
    start: int
    stop: int
    table: RowTable

    @property
    def rows(self) -> RowTable:
        """The row table of this batch."""
        columns = {name: getattr(self.table, name) for name in RowTable.__slots__}
        return RowTable(**{name: value[self.start : self.stop] for name, value in columns.items()})


class ActivationStore:
    """Activations on disk. Rows come in the order of the store: that of the passes, longest first.

    Join by ``rows.example``, or sort by ``input_order``. Every file's checksum is compared when the
    file is first read.
    """

    def __init__(self, path: Path, manifest: m.Manifest, *, check: bool = True) -> None:
        self.path = path
        self.manifest = manifest
        self._check = check
        self._checked: set[str] = set()

    @classmethod
    def open(cls, path: str | Path, *, check: bool = True) -> "ActivationStore":
        """Open a complete store; ``check`` False trusts the content of its files.

        Raises:
            SondeError: there is no store, it is unfinished, or a file is missing, truncated or
                altered; the message names the file and what to do.
        """
        folder = Path(path)
        manifest = m.read_manifest(folder)
        if not manifest.complete:
            done = sum(shard is not None for shard in manifest.shards)
            raise SondeError(
                f"The store {folder} is unfinished: {done} of {len(manifest.shards)} shards.",
                fix="Run the same extraction again; it goes on where it stopped.",
            )
        for name, record in manifest.expected().items():
            problem = m.problem_with(folder, name, record, content=False)
            if problem:
                raise SondeError(problem, fix=m.REMAKE)
        return cls(folder, manifest, check=check)

    def __repr__(self) -> str:
        return f"ActivationStore({str(self.path)!r}, {len(self)} rows, {len(self.hooks)} hooks)"

    def __len__(self) -> int:
        return self.manifest.rows

    @property
    def hooks(self) -> tuple[HookPoint, ...]:
        """The hook points, in the order of the forward pass."""
        points = (parse_hook_point(text) for text in self.manifest.shape)
        return tuple(sorted(points, key=lambda hook: hook.depth))

    @property
    def origin(self) -> Origin:
        """Where the activations come from."""
        return self.manifest.origin

    @property
    def truncated(self) -> int:
        """How many examples were shortened to fit the model's context."""
        return self.manifest.truncated

    @cached_property
    def plan(self) -> BatchPlan | None:
        """The batches as they were run; None where the activations were not extracted here."""
        if m.PLAN not in self.manifest.expected():
            return None
        return plan_from_json(read_sealed(self._file(m.PLAN), m.REMAKE))

    @cached_property
    def _rows(self) -> tuple[RowTable, np.ndarray]:
        return read_rows(self._file(m.ROWS))

    @property
    def rows(self) -> RowTable:
        """The row table, in the order of the store."""
        return self._rows[0]

    @cached_property
    def input_order(self) -> np.ndarray:
        """Row numbers that bring the rows into the order of the data: ``tensor[input_order]``."""
        return np.argsort(self._rows[1], kind="stable")

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Inputs that gave no activations, and why."""
        return read_skipped(self._file(m.SKIPPED))

    def tensor(self, hook: HookPoint | str) -> Float[Tensor, "row ..."]:
        """Return all activations at one hook point, ``[row, d_model]``, read shard by shard.

        Raises:
            SondeError: nothing was extracted there, or a shard is damaged.
        """
        point = self._point(hook)
        whole: Tensor | None = None
        start = 0
        for number in range(len(self.manifest.shards)):
            part = self.shard(point, number)
            if whole is None:
                whole = torch.empty((len(self), *part.shape[1:]), dtype=part.dtype)
            whole[start : start + len(part)] = part
            start += len(part)
        assert whole is not None, "a complete store has a shard"
        return whole

    def batches(
        self, hooks: HookPoint | str | Sequence[HookPoint | str] | None = None, size: int = 4096
    ) -> Iterator[StoredBatch]:
        """Yield batches of at most ``size`` rows in the order of the store; None is every hook.

        A batch does not reach over the end of a shard, so some are smaller. Memory holds one shard.

        Raises:
            SondeError: nothing was extracted at a hook point, or a shard is damaged.
        """
        one = isinstance(hooks, HookPoint | str)
        asked = self.hooks if hooks is None else [hooks] if one else hooks
        points = [self._point(hook) for hook in asked]
        offset = 0
        for number, shard in enumerate(self.manifest.shards):
            parts = {point: self.shard(point, number) for point in points}
            rows = shard.rows if shard is not None else 0
            for start in range(0, rows, size):
                stop = min(start + size, rows)
                tensors = {point: part[start:stop].clone() for point, part in parts.items()}
                yield StoredBatch(tensors, offset + start, offset + stop, self.rows)
            offset += rows

    def _point(self, hook: HookPoint | str) -> HookPoint:
        point = parse_hook_point(hook) if isinstance(hook, str) else hook
        if point not in self.hooks:
            raise SondeError(
                f"There are no activations at {point} in {self.path}.",
                fix=f"Extracted are {', '.join(map(str, self.hooks))}.",
            )
        return point

    def shard(self, point: HookPoint, number: int) -> Float[Tensor, "row ..."]:
        """Return the rows of one shard at one of the hook points, ``[row, d_model]``.

        Raises:
            SondeError: the shard is damaged.
        """
        return read_shard(self._file(m.shard_name(str(point), number)))

    def _file(self, name: str) -> Path:
        if self._check and name not in self._checked:
            problem = m.problem_with(self.path, name, self.manifest.expected()[name], content=True)
            if problem:
                raise SondeError(problem, fix=m.REMAKE)
            self._checked.add(name)
        return self.path / name
