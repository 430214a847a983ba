"""Processes that work together on one dictionary, and what they tell each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Shaped
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

HALVES = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """A group of ``world`` processes of which this one is number ``rank``; by default it is alone.

    What one calls, all call, in the same order. Every process gets the same bits. Alone, nothing
    is copied and torch.distributed is not imported.
    """

    world: int = 1
    rank: int = 0
    group: "ProcessGroup | None" = None

    def sum(self, own: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
        """Return the sum over processes; halves are added in float32."""
        from torch.distributed import ReduceOp

        return self._reduced(own, ReduceOp.SUM) if self.world > 1 else own

    def count(self, own: int) -> int:
        """Return the sum over processes of a number."""
        return own if self.world == 1 else int(self.sum(torch.tensor(own, device=self.device)))

    @property
    def device(self) -> str:
        """Where a tensor has to lie to be told to the others."""
        if self.world == 1:
            return "cpu"
        from torch.distributed import get_backend

        return "cuda" if get_backend(self.group) == "nccl" else "cpu"

    def least(self, own: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
        """Return the least over processes, number by number."""
        from torch.distributed import ReduceOp

        return self._reduced(own, ReduceOp.MIN) if self.world > 1 else own

    def gathered(self, own: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "world *shape"]:
        """Return what every process gave, by rank."""
        if self.world == 1:
            return own[None]
        from torch.distributed import all_gather

        found = [torch.empty_like(own, memory_format=torch.contiguous_format) for _ in self._all]
        all_gather(found, own.contiguous(), group=self.group)
        return torch.stack(found)

    def collected(
        self, own: Shaped[Tensor, "*shape"], *, at: int = 0
    ) -> Shaped[Tensor, "world *shape"] | None:
        """Return what every process gave, by rank, at one of them and None at the others."""
        if self.world == 1:
            return own[None]
        from torch.distributed import gather

        here = self.rank == at
        found = [torch.empty_like(own) for _ in self._all] if here else None
        gather(own.contiguous(), found, group=self.group, group_dst=at)
        return torch.stack(found) if found else None

    @property
    def _all(self) -> range:
        return range(self.world)

    def _reduced(self, own: Tensor, how: Callable[..., object]) -> Tensor:
        from torch.distributed import all_reduce

        wide = own.float() if own.dtype in HALVES else own.clone()
        found = wide.contiguous()
        all_reduce(found, op=how, group=self.group)  # pyright: ignore[reportArgumentType]
        return found.to(own.dtype)


ALONE = Ranks()
