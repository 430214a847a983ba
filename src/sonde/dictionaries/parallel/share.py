"""What a process has of the rows and of the latents, and what it asks the others for."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.dictionaries.choosing import Picker, TopAmong, TopOfBatch, TopOfRows
from sonde.dictionaries.parallel import passing
from sonde.dictionaries.parallel.pickers import TopAcross, TopOfBatchAcross
from sonde.dictionaries.parallel.ranks import ALONE, Ranks


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """Some of the rows of every batch and some of the latents of every block; by default all.

    ``latents``: the processes that have the same rows and other latents (tensor parallel).
    ``rows``: those that have the same latents and other rows (data parallel). ``everyone``: all.
    Process r of n has rows and latents r, r + n, r + 2n ...: so the latents of every Matryoshka
    group are spread evenly. Alone, every method is what a single process does.
    """

    latents: Ranks = ALONE
    rows: Ranks = ALONE
    everyone: Ranks = ALONE

    def n_latents(self, d_sae: int) -> int:
        """Return how many of a block's latents are here.

        Raises:
            SondeError: they cannot be shared evenly.
        """
        if d_sae % self.latents.world:
            raise SondeError(
                f"{d_sae:,} latents cannot be shared evenly by {self.latents.world} processes.",
                fix=f"Take a multiple of {self.latents.world} latents, or other shards.",
            )
        return d_sae // self.latents.world

    def groups(self, groups: Sequence[int]) -> tuple[int, ...]:
        """Return how many latents of each Matryoshka group are here; it may be none."""
        world, rank = self.latents.world, self.latents.rank
        before = [(end - rank + world - 1) // world for end in (0, *accumulate(groups))]
        return tuple(end - start for start, end in pairwise(before))

    def numbers(self, latent: Int[Tensor, "*any"]) -> Int[Tensor, "*any"]:
        """Return the numbers in the whole dictionary of latents that are here."""
        return latent * self.latents.world + self.latents.rank

    def own_latents(self, whole: Shaped[Tensor, "latent *any"]) -> Shaped[Tensor, "own *any"]:
        """Return this process' part of something that every latent has."""
        return whole[self.latents.rank :: self.latents.world]

    def own_rows(self, batch: Shaped[Tensor, "row *any"]) -> Shaped[Tensor, "own *any"]:
        """Return this process' part of a batch.

        Raises:
            SondeError: the rows cannot be shared evenly.
        """
        if len(batch) % self.rows.world:
            raise SondeError(
                f"A batch of {len(batch):,} rows cannot be shared evenly by {self.rows.world} "
                "processes.",
                fix=f"Take a multiple of {self.rows.world} rows a batch.",
            )
        return batch[self.rows.rank :: self.rows.world]

    def top_of_rows(self, k: int, positive: bool, bias: Float[Tensor, " latent"]) -> Picker:
        """Return a picker of the k highest scores of each row, over all latents.

        ``bias`` says how many latents are here, and on which device.
        """
        if self.latents.world == 1:
            return TopOfRows(k, positive)
        numbers = self.numbers(torch.arange(len(bias), device=bias.device))
        return TopAcross(k, positive, numbers, self.latents)

    def top_among(self, k: int, among: Int[Tensor, " some"]) -> Picker:
        """Return a picker of the k highest positive scores of each row among some latents.

        ``among`` are those that are here, by their numbers here; it may be none.
        """
        if self.latents.world == 1:
            return TopAmong(TopOfRows(k), among)
        return TopAmong(TopAcross(k, True, self.numbers(among), self.latents), among)

    def top_of_batch(self, k: int, n_rows: int, bound: float = 0.0) -> TopOfBatch:
        """Return a picker of the k times rows highest positive scores of the whole batch.

        ``n_rows`` are those that are here.
        """
        count = k * n_rows * self.rows.world
        if self.everyone.world == 1:
            return TopOfBatch(count, bound)
        return TopOfBatchAcross(
            count, bound, latents=self.latents, rows=self.rows, everyone=self.everyone
        )

    def read(self, x: Float[Tensor, "row d"]) -> Float[Tensor, "row d"]:
        """Return what the blocks encode; its gradient is that of all latents."""
        return passing.read(x, self.latents)

    def written(self, part: Float[Tensor, "*row d"]) -> Float[Tensor, "*row d"]:
        """Return what all latents write, of what those write that are here."""
        return passing.written(part, self.latents)


WHOLE = Share()
