"""Rows of several hook points in batches: what dictionaries are trained and judged on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint

FIRST_ROWS = 16_384  # that training begins with: scales and variances then hold to one percent


@dataclass(frozen=True, slots=True, eq=False)
class RowBatch:
    """The same rows at several hook points, ``[row, d_model]`` each.

    ``token`` is each row's number: among all tokens of a corpus, or of the rows of a store.
    """

    tensors: Mapping[HookPoint, Float[Tensor, "row d_model"]]
    token: Int[Tensor, " row"]

    def __len__(self) -> int:
        return len(self.token)

    @property
    def bytes(self) -> int:
        """Bytes of the rows, their numbers apart."""
        return sum(x.numel() * x.element_size() for x in self.tensors.values())

    def kept(self, kept: Bool[Tensor, " row"]) -> "RowBatch":
        """Return the rows that are marked."""
        if bool(kept.all()):
            return self
        tensors = {hook: x[kept.to(x.device)] for hook, x in self.tensors.items()}
        return RowBatch(tensors, self.token[kept.to(self.token.device)])

    def part(self, start: int, stop: int) -> "RowBatch":
        """Return the rows from ``start`` to ``stop``, not copied."""
        tensors = {hook: x[start:stop] for hook, x in self.tensors.items()}
        return RowBatch(tensors, self.token[start:stop])

    def to(self, device: torch.device | str) -> "RowBatch":
        """Return the rows on a device; what is there already is not copied."""
        tensors = {hook: x.to(device) for hook, x in self.tensors.items()}
        return RowBatch(tensors, self.token.to(device))


def joined(batches: Sequence[RowBatch]) -> RowBatch:
    """Return the rows of all batches, one at least, one after another."""
    if len(batches) == 1:
        return batches[0]
    hooks = batches[0].tensors
    tensors = {hook: torch.cat([one.tensors[hook] for one in batches]) for hook in hooks}
    return RowBatch(tensors, torch.cat([one.token for one in batches]))


def first_of(batches: Iterable[RowBatch], rows: int) -> RowBatch | None:
    """Return the first ``rows`` rows, or as many as there are; None of no batch."""
    found: list[RowBatch] = []
    for batch in batches:
        found.append(batch)
        if sum(map(len, found)) >= rows:
            break
    return joined(found).part(0, rows) if found else None


@runtime_checkable
class RowSource(Protocol):
    """Batches of rows in an order that is a function of settings and seed alone.

    So a checkpoint stores the number of the next batch: ``batches(n)`` gives from the n-th on what
    ``batches(0)`` would have given, bit for bit on the same device and thread count. All batches
    have ``batch`` rows. ``fingerprint`` changes with anything that changes a batch.
    """

    @property
    def widths(self) -> Mapping[HookPoint, int]:
        """The hook points, and how wide each is."""
        ...

    @property
    def batch(self) -> int:
        """How many rows a batch has."""
        ...

    @property
    def n_batches(self) -> int:
        """How many batches there are."""
        ...

    @property
    def fingerprint(self) -> str:
        """16 hex digits of all that the batches are made of."""
        ...

    def batches(self, start: int = 0) -> Iterator[RowBatch]:
        """Yield batches from number ``start`` on."""
        ...

    def first_rows(self, n: int = FIRST_ROWS) -> RowBatch:
        """Return ``n`` rows to begin with, in a drawn order, or as many as there are.

        They are a function of settings and seed, too, and none comes twice.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TensorRows:
    """Batches of tensors in memory, each row once an epoch, in an order drawn anew for each."""

    tensors: Mapping[HookPoint, Float[Tensor, "row d_model"]]
    batch: int
    epochs: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        counts = {len(one) for one in self.tensors.values()}
        if len(counts) != 1 or min(counts) < self.batch:
            raise SondeError(
                f"Batches of {self.batch:,} rows were asked for, of tensors with "
                f"{', '.join(f'{one:,}' for one in sorted(counts)) or 'no'} rows.",
                fix="Give the same rows at every hook point, at least as many as a batch has.",
            )

    @property
    def widths(self) -> dict[HookPoint, int]:
        """The hook points, and how wide each is."""
        return {hook: one.shape[1] for hook, one in self.tensors.items()}

    @property
    def n_batches(self) -> int:
        """How many batches there are; rows that fill none are left out of their epoch."""
        return self._an_epoch * self.epochs

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the rows and their order."""
        from sonde.core.files import fingerprint

        sums = [[str(hook), *_sums(one)] for hook, one in self.tensors.items()]
        return fingerprint([sums, self.batch, self.epochs, self.seed])

    def batches(self, start: int = 0) -> Iterator[RowBatch]:
        """Yield batches from number ``start`` on."""
        order, drawn = torch.empty(0), -1
        for number in range(start, self.n_batches):
            epoch, place = divmod(number, self._an_epoch)
            if epoch != drawn:
                order, drawn = self._order(epoch), epoch
            token = order[place * self.batch : (place + 1) * self.batch]
            yield RowBatch({hook: one[token] for hook, one in self.tensors.items()}, token)

    def first_rows(self, n: int = FIRST_ROWS) -> RowBatch:
        """Return the first ``n`` rows of the first epoch, or all of them."""
        token = self._order(0)[:n]
        return RowBatch({hook: one[token] for hook, one in self.tensors.items()}, token)

    @property
    def _rows(self) -> int:
        return len(next(iter(self.tensors.values())))

    @property
    def _an_epoch(self) -> int:
        return self._rows // self.batch

    def _order(self, epoch: int) -> Int[Tensor, " row"]:
        from numpy.random import default_rng

        order = torch.from_numpy(default_rng([self.seed, epoch]).permutation(self._rows))
        return order.to(next(iter(self.tensors.values())).device)


def _sums(one: Tensor) -> list[int | float]:
    """Return what tells tensors apart: the size, and sums weighted by place."""
    weight = torch.linspace(0, 1, len(one), dtype=torch.float64, device=one.device)
    columns = weight @ one.double()
    return [*one.shape, float(one.double().sum()), float(columns.square().sum())]
