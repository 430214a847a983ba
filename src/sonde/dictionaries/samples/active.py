"""What is active in rows: latents of all blocks, flat."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.dictionaries.latents import Latents


@dataclass(frozen=True, slots=True, eq=False)
class Active:
    """Active latents of rows: which, how much, in which row."""

    latent: Int[Tensor, " active"]
    value: Float[Tensor, " active"]
    row: Int[Tensor, " active"]

    def __getitem__(self, at: Tensor) -> "Active":
        return Active(self.latent[at], self.value[at], self.row[at])


def active_of(latents: Sequence[Latents], n_latents: int) -> Active:
    """Return what is not 0 in any block, the latents of later blocks counted on."""
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    before = 0
    for block in latents:
        if block.places is None:
            row, latent = block.value.nonzero(as_tuple=True)
            value, width = block.value[row, latent], block.value.shape[1]
        else:
            there = block.value != 0
            row, latent = block.places.row[there], block.places.latent[there]
            value, width = block.value[there], block.places.n_latents
        parts.append((latent + before, value.float(), row))
        before += width
    if before != n_latents:
        raise SondeError(
            f"{before:,} latents are offered to samples of {n_latents:,}.",
            fix="Give the latents of all blocks of the dictionary that the samples are of.",
        )
    return Active(*(torch.cat(column) for column in zip(*parts, strict=True)))
