"""Activations of latents, sparse or dense, and what is asked of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.dictionaries.places import Places
from sonde.dictionaries.products import cumulated, decoded


@dataclass(frozen=True, slots=True, eq=False)
class Latents:
    """Activations of rows: ``value`` at ``places``, or ``[row, latent]`` where there are none."""

    value: Tensor
    places: Places | None = None

    @classmethod
    def sparse(cls, dense: Float[Tensor, "row latent"]) -> "Latents":
        """Keep what is not 0."""
        places = Places.of_mask(dense != 0)
        return cls(dense.flatten()[places.flat], places)

    def dense(self) -> Float[Tensor, "row latent"]:
        """Return every activation, zeros too."""
        return self.value if self.places is None else self.places.dense(self.value)

    def active(self) -> Bool[Tensor, "row latent"]:
        """Return which latents are active in which row."""
        return self.dense() != 0

    def l0(self) -> Float[Tensor, " row"]:
        """Return how many latents are active in each row."""
        if self.places is None:
            return (self.value != 0).sum(dim=1).to(self.value)
        counted = (self.value != 0).to(self.value)
        return counted.new_zeros(self.places.n_rows).index_add_(0, self.places.row, counted)

    def fired(self) -> Int[Tensor, " latent"]:
        """Return in how many rows each latent is active."""
        if self.places is None:
            return (self.value != 0).sum(dim=0)
        there = self.places.latent[self.value != 0]
        return torch.bincount(there, minlength=self.places.n_latents)

    def decode(self, weight: Float[Tensor, "latent d"]) -> Float[Tensor, "row d"]:
        """Return activations times decoder rows; gradients touch active latents alone."""
        if self.places is None:
            return self.value @ weight
        return decoded(weight, self.places, self.value)

    def decode_prefixes(
        self, weight: Float[Tensor, "latent d"], groups: Sequence[int]
    ) -> Float[Tensor, "prefix row d"]:
        """Return what the first latents alone decode, for each sum of group sizes so far.

        All groups are one product: a group's part of a row is a bag of its own.
        """
        if self.places is None:
            parts = zip(
                self.value.split(list(groups), dim=1), weight.split(list(groups)), strict=True
            )
            return cumulated(torch.stack([value @ rows for value, rows in parts]))
        places, order = self.places.grouped(groups)
        found = decoded(weight, places, self.value[order])
        return cumulated(found.view(len(groups), self.places.n_rows, -1))
