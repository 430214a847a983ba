"""Which latents are active in which row: bags of latents, row after row."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Places:
    """Active latents of row i are ``latent[offsets[i]:offsets[i + 1]]``, ascending, each once.

    This is the compressed sparse row format without its values.
    """

    latent: Int[Tensor, " active"]
    offsets: Int[Tensor, " row_and_one"]
    n_latents: int

    @classmethod
    def of_topk(cls, latent: Int[Tensor, "row k"], n_latents: int) -> "Places":
        """Take as many latents in every row; they are ascending already."""
        rows, k = latent.shape
        offsets = k * torch.arange(rows + 1, device=latent.device)
        return cls(latent.reshape(-1), offsets, n_latents)

    @classmethod
    def of_counts(
        cls, latent: Int[Tensor, " active"], counts: Int[Tensor, " row"], n_latents: int
    ) -> "Places":
        """Take ``counts[i]`` latents in row i, ascending in each."""
        return cls(latent, torch.cat([counts.new_zeros(1), counts.cumsum(0)]), n_latents)

    @classmethod
    def of_mask(cls, active: Bool[Tensor, "row latent"]) -> "Places":
        """Take the places that are true."""
        row, latent = active.nonzero(as_tuple=True)
        return cls(latent, _offsets(row, len(active)), active.shape[1])

    @classmethod
    def of_pairs(cls, flat: Int[Tensor, " active"], rows: int, n_latents: int) -> "Places":
        """Take ascending numbers ``row * n_latents + latent``."""
        row = flat.div(n_latents, rounding_mode="floor")
        return cls(flat - row * n_latents, _offsets(row, rows), n_latents)

    @property
    def n_rows(self) -> int:
        """How many rows there are, those without an active latent too."""
        return len(self.offsets) - 1

    @cached_property
    def row(self) -> Int[Tensor, " active"]:
        """The row of each place."""
        counts = self.offsets.diff()
        rows = torch.arange(self.n_rows, device=self.latent.device)
        return rows.repeat_interleave(counts, output_size=len(self.latent))

    @cached_property
    def flat(self) -> Int[Tensor, " active"]:
        """``row * n_latents + latent``, ascending."""
        return self.row * self.n_latents + self.latent

    @cached_property
    def by_latent(
        self,
    ) -> tuple[Int[Tensor, " active"], Int[Tensor, " active"], Int[Tensor, " latent_and_one"]]:
        """The same places latent after latent: their order here, their rows, and offsets.

        Sorting is stable, so sums over the rows of a latent are always taken in one order.
        """
        order = self.latent.argsort(stable=True)
        return order, self.row[order], _offsets(self.latent[order], self.n_latents)

    def grouped(self, groups: Sequence[int]) -> tuple["Places", Int[Tensor, " active"]]:
        """Part the latents by group: row i's places in group g become row ``g * n_rows + i``.

        Returns the places, latents numbered as before, and the order of these places there.
        """
        bounds = torch.tensor(list(accumulate(groups)), device=self.latent.device)
        group = torch.bucketize(self.latent, bounds, right=True)
        row = group * self.n_rows + self.row
        order = row.argsort(stable=True)
        offsets = _offsets(row[order], len(groups) * self.n_rows)
        return Places(self.latent[order], offsets, self.n_latents), order

    def dense(self, value: Float[Tensor, " active"]) -> Float[Tensor, "row latent"]:
        """Lay values out among zeros."""
        found = value.new_zeros(self.n_rows * self.n_latents)
        return found.index_put((self.flat,), value).view(self.n_rows, self.n_latents)


def _offsets(ascending: Int[Tensor, " any"], count: int) -> Int[Tensor, " count_and_one"]:
    found = torch.zeros(count + 1, dtype=torch.long, device=ascending.device)
    found[1:] = torch.bincount(ascending, minlength=count).cumsum(0)
    return found
