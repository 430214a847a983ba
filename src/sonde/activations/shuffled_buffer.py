"""The buffer that shuffled batches are taken from, and how it is refilled while they are.

It has room for ``delay + 1`` rounds: those that the present stretch draws on, and the next one,
which is made piece by piece between the batches. So no batch waits for a whole round.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from sonde.activations.row_batches import RowBatch, joined
from sonde.activations.shuffled_counts import RoundCounts
from sonde.activations.shuffled_rounds import Rounds
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Some rows of a round, and which share of the round's work is done with them.

    ``counts`` says of the rows that were read for it which were left out, and why.
    """

    rows: RowBatch
    done: float
    counts: Counter[str]


@runtime_checkable
class Filling(Protocol):
    """Makes rounds, a piece at a time."""

    def pieces(self, number: int) -> Iterator[Piece]:
        """Yield the rows of a round, in an order that is always the same."""
        ...


@dataclass(frozen=True, slots=True)
class Room:
    """What a buffer holds: rows of these widths, ``capacity`` of each of ``slots`` rounds."""

    widths: Mapping[HookPoint, int]
    capacity: int
    slots: int
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """Bytes of the buffer, with each row's number: slots × capacity × (widths × dtype + 8)."""
        row = sum(self.widths.values()) * self.dtype.itemsize + 8
        return self.slots * self.capacity * row


@dataclass(slots=True, eq=False)
class Buffer:
    """Rows of some rounds, one after another in slots that are used in turn."""

    rounds: Rounds
    room: Room
    device: torch.device
    counts: RoundCounts
    tensors: dict[HookPoint, Tensor] = field(init=False)
    token: Tensor = field(init=False)
    dealt: dict[int, np.ndarray] = field(default_factory=dict[int, np.ndarray])

    def __post_init__(self) -> None:
        rows, room = self.room.capacity * self.room.slots, self.room
        self.tensors = {
            hook: torch.empty(rows, width, dtype=room.dtype, device=self.device)
            for hook, width in room.widths.items()
        }
        self.token = torch.empty(rows, dtype=torch.int64, device=self.device)

    def making(self, number: int, filling: Filling) -> Iterator[float]:
        """Make a round, yielding the share that is done.

        Raises:
            SondeError: no row of it can be used.
        """
        start = self._start(number)
        end = start
        counted: Counter[str] = Counter()
        for piece in filling.pieces(number):
            counted += piece.counts
            stop = end + len(piece.rows)
            for hook, rows in piece.rows.tensors.items():
                self.tensors[hook][end:stop] = rows
            self.token[end:stop] = piece.rows.token
            end = stop
            if piece.done < 1:
                yield piece.done
        there, wanted = end - start, int(self.rounds.rows[number])
        if not there and wanted:
            raise SondeError(
                f"All rows of round {number} are left out.",
                fix="Raise sink_ratio or keep separators; `sonde doctor` shows a model's sinks.",
            )
        counted.update({"left over": max(0, there - wanted), "repeated": max(0, wanted - there)})
        self.counts.add(number, counted)
        self.dealt[number] = start + self.rounds.chosen(number, there)
        self.dealt.pop(number - self.room.slots, None)
        yield 1.0

    def stretch(self, number: int) -> Tensor:
        """Return the places of the rows that a stretch gives, in order."""
        parts = [
            self.dealt[made][self.rounds.part(made, number)]
            for made in self.rounds.drawn_on(number)
        ]
        places = np.concatenate(parts)
        order = self.rounds.order(number, len(places))
        return torch.from_numpy(places[order]).to(self.device)

    def take(self, places: Tensor) -> RowBatch:
        """Return rows by place, copied."""
        taken = {hook: held.index_select(0, places) for hook, held in self.tensors.items()}
        return RowBatch(taken, self.token.index_select(0, places))

    def _start(self, number: int) -> int:
        return number % self.room.slots * self.room.capacity


def shuffled_batches(buffer: Buffer, filling: Filling, start: int = 0) -> Iterator[RowBatch]:
    """Yield the batches from number ``start`` on, making each next round meanwhile."""
    rounds = buffer.rounds
    if start >= rounds.n_batches:
        return
    stretch, row = rounds.located(start)
    for number in rounds.drawn_on(stretch):
        for _ in buffer.making(number, filling):
            pass
    left = rounds.n_batches - start
    pieces: list[RowBatch] = []
    while left:
        places = buffer.stretch(stretch)
        following = stretch + 1 < len(rounds.rows)
        making = buffer.making(stretch + 1, filling) if following else iter(())
        made = 0.0 if following else 1.0
        while row < len(places) and left:
            while made < row / len(places):
                made = next(making)
            needed = rounds.batch - sum(map(len, pieces))
            pieces.append(buffer.take(places[row : row + needed]))
            row += len(pieces[-1])
            if len(pieces[-1]) == needed:
                yield joined(pieces)
                pieces, left = [], left - 1
        for _ in making if left else ():
            pass
        stretch, row = stretch + 1, 0
