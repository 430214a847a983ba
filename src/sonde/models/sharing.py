"""Rows that are alike up to a block are computed once up to there, and part before it.

A level is a stretch of blocks with one number of streams. Its streams are the rows that are told
apart by then; a hook on its first block hands each stream the activations of the one it comes from.
"""

from collections.abc import Callable, Generator, Hashable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from sonde.models.model import Model

# Where this much of a level's streams are apart a level below, sharing costs more than it saves:
# streams that are shared read copies of what is cached of them.
WORTH = 0.85


@dataclass(frozen=True)
class Level:
    """The blocks from ``start`` on: which row stands for each stream, and each row's stream."""

    start: int
    representatives: tuple[int, ...]
    of: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """Whether each row is its own stream."""
        return len(self.representatives) == len(self.of)

    @cached_property
    def rows(self) -> Int[Tensor, "stream"]:
        """The row that stands for each stream."""
        return torch.tensor(self.representatives, dtype=torch.long)

    @cached_property
    def streams(self) -> Int[Tensor, "row"]:
        """The stream of each row."""
        return torch.tensor(self.of, dtype=torch.long)


@dataclass(frozen=True, slots=True)
class Sharing:
    """Levels in the order of the pass; the first begins at block 0."""

    levels: tuple[Level, ...]

    def at(self, block: int) -> Level:
        """Return the level that a block belongs to."""
        return next(level for level in reversed(self.levels) if level.start <= block)

    @property
    def first(self) -> Level:
        """The level of the embeddings."""
        return self.levels[0]

    @property
    def last(self) -> Level:
        """The level of the last block."""
        return self.levels[-1]


def sharing(starts: Iterable[int], key: Callable[[int, int], Hashable], n_rows: int) -> Sharing:
    """Find which rows are alike up to each block.

    ``starts`` are the blocks before which rows may part, and ``key(row, start)`` is equal for rows
    that are alike up to the next of them. Rows that are apart stay apart.
    """
    levels: list[Level] = []
    for start in sorted({0, *starts}, reverse=True):
        streams: dict[Hashable, int] = {}
        of_row = [streams.setdefault(key(row, start), len(streams)) for row in range(n_rows)]
        if levels and len(streams) > WORTH * len(levels[-1].representatives):
            levels[-1] = Level(start, levels[-1].representatives, levels[-1].of)
            continue
        first = {stream: row for row, stream in reversed(list(enumerate(of_row)))}
        levels.append(Level(start, tuple(first[n] for n in range(len(streams))), tuple(of_row)))
    return Sharing(tuple(reversed(levels)))


@contextmanager
def parting(model: Model, shared: Sharing) -> Generator[None]:
    """Let streams part before the first block of each level while the block runs.

    Comes before ``hooked``: an edit before a block finds the streams parted. A decoder hands every
    block the same masks and rotary embeddings, made for the first level's streams, so these are
    chosen anew for each.
    """
    handles = []
    below = shared.first
    try:
        for level in shared.levels[1:]:
            end = min([one.start for one in shared.levels if one.start > level.start], default=None)
            given = _Rows(shared.first.streams[level.rows], len(shared.first.representatives))
            states = _Rows(below.streams[level.rows], len(below.representatives))
            for block in model.blocks[level.start : end]:
                first = block is model.blocks[level.start]
                hook = _part(given, states if first else None)
                handles.append(block.register_forward_pre_hook(hook, with_kwargs=True))
            below = level
        yield
    finally:
        for handle in handles:
            handle.remove()


@dataclass(slots=True)
class _Rows:
    """Takes rows of tensors that have ``before``; what it took once it keeps for later blocks."""

    source: Int[Tensor, "stream"]
    before: int
    _taken: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def of(self, given: Any) -> Any:
        """Return the rows, of each tensor of a tuple too; one row for all stands for any number."""
        if isinstance(given, tuple):
            return tuple(self.of(item) for item in given)
        if not isinstance(given, Tensor) or given.ndim < 2 or given.shape[0] != self.before:
            return given
        if id(given) not in self._taken:
            taken = given.index_select(0, self.source.to(given.device))
            self._taken[id(given)] = given, taken
        return self._taken[id(given)][1]


def _part(given: _Rows, states: _Rows | None) -> Callable[..., Any]:
    """Return a hook that chooses a block's arguments, and where streams part its input too."""

    def pre_hook(
        _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        x = args[0] if states is None else states.of(args[0])
        others = {name: given.of(value) for name, value in kwargs.items()}
        return (x, *given.of(args[1:])), others

    return pre_hook
