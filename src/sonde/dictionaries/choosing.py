"""Which latents are active: one picker for each way, fed with pre-activations chunk by chunk.

So the pre-activations of a batch are never there together: a picker keeps what it has chosen so
far, rows x k numbers.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.dictionaries.places import Places


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Places, and the pre-activations there."""

    places: Places
    value: Float[Tensor, " active"]


@runtime_checkable
class Picker(Protocol):
    """Chooses latents of rows that come in chunks."""

    def add(self, pre: Float[Tensor, "row latent"], score: Float[Tensor, "row latent"]) -> None:
        """Look at the next rows: pre-activations, and what they are compared by."""
        ...

    def chosen(self) -> Chosen:
        """Return what was chosen of all rows."""
        ...


@dataclass(slots=True, eq=False)
class TopOfRows:
    """The k highest scores of each row; with ``positive`` those above 0 alone."""

    k: int
    positive: bool = True
    latent: list[Tensor] = field(default_factory=list)
    value: list[Tensor] = field(default_factory=list)
    n_latents: int = 0

    def add(self, pre: Float[Tensor, "row latent"], score: Float[Tensor, "row latent"]) -> None:
        """Look at the next rows."""
        self.n_latents = pre.shape[1]
        value, latent = score.topk(min(self.k, self.n_latents), dim=1, sorted=False)
        latent, order = latent.sort(dim=1)
        self.latent.append(latent)
        self.value.append(pre.gather(1, latent) if pre is not score else value.gather(1, order))

    def chosen(self) -> Chosen:
        """Return what was chosen of all rows."""
        latent, value = torch.cat(self.latent), torch.cat(self.value)
        active = value > 0
        if not self.positive or bool(active.all()):
            return Chosen(Places.of_topk(latent, self.n_latents), value.flatten())
        return Chosen(
            Places.of_counts(latent[active], active.sum(1), self.n_latents), value[active]
        )


@dataclass(slots=True, eq=False)
class TopAmong:
    """The k highest of some latents alone, such as dead ones; ``among`` are their numbers."""

    rows: Picker
    among: Int[Tensor, " some"]
    n_latents: int = 0

    def add(self, pre: Float[Tensor, "row latent"], score: Float[Tensor, "row latent"]) -> None:
        """Look at the next rows."""
        self.n_latents = pre.shape[1]
        own = pre.index_select(1, self.among)
        self.rows.add(own, own if score is pre else score.index_select(1, self.among))

    def chosen(self) -> Chosen:
        """Return what was chosen of all rows."""
        found = self.rows.chosen()
        places = Places(self.among[found.places.latent], found.places.offsets, self.n_latents)
        return Chosen(places, found.value)


@dataclass(slots=True, eq=False)
class TopOfBatch:
    """The ``count`` highest scores of all rows that are positive; a row may have any number.

    Scores up to ``bound`` are not looked at. Where too few lie above it, ``fell_short`` says so,
    and the rows are to be looked at again with a bound of 0.
    """

    count: int
    bound: float = 0.0
    number: list[Tensor] = field(default_factory=list)  # row * n_latents + latent
    score: list[Tensor] = field(default_factory=list)
    value: list[Tensor] = field(default_factory=list)
    n_rows: int = 0
    n_latents: int = 0

    def add(self, pre: Float[Tensor, "row latent"], score: Float[Tensor, "row latent"]) -> None:
        """Look at the next rows, and keep no more than twice the count."""
        self.n_latents = pre.shape[1]
        found = (score.flatten() > max(self.bound, 0.0)).nonzero().flatten()
        self.number.append(found + self.n_rows * self.n_latents)
        self.score.append(score.flatten()[found])
        self.value.append(pre.flatten()[found])
        self.n_rows += len(pre)
        if sum(map(len, self.score)) > 2 * self.count:
            self._trim()

    @property
    def fell_short(self) -> bool:
        """Whether fewer scores than wanted lie above a bound that is not 0."""
        return self.bound > 0 and sum(map(len, self.score)) < self.count

    def chosen(self) -> Chosen:
        """Return what was chosen of all rows."""
        self._trim()
        number, value = self.number[0], self.value[0]
        return Chosen(Places.of_pairs(number, self.n_rows, self.n_latents), value)

    def smallest(self) -> Float[Tensor, ""] | None:
        """Return the smallest chosen score; None where nothing is chosen."""
        self._trim()
        return self.score[0].min() if len(self.score[0]) else None

    def _trim(self) -> None:
        number, score, value = (torch.cat(one) for one in (self.number, self.score, self.value))
        if len(score) > self.count:
            kept = score.topk(self.count, sorted=False).indices.sort().values
            number, score, value = number[kept], score[kept], value[kept]
        self.number, self.score, self.value = [number], [score], [value]


@dataclass(slots=True, eq=False)
class Above:
    """All scores above one threshold."""

    threshold: float
    number: list[Tensor] = field(default_factory=list)
    value: list[Tensor] = field(default_factory=list)
    n_rows: int = 0
    n_latents: int = 0

    def add(self, pre: Float[Tensor, "row latent"], score: Float[Tensor, "row latent"]) -> None:
        """Look at the next rows."""
        self.n_latents = pre.shape[1]
        found = (score.flatten() > self.threshold).nonzero().flatten()
        self.number.append(found + self.n_rows * self.n_latents)
        self.value.append(pre.flatten()[found])
        self.n_rows += len(pre)

    def chosen(self) -> Chosen:
        """Return what was chosen of all rows."""
        places = Places.of_pairs(torch.cat(self.number), self.n_rows, self.n_latents)
        return Chosen(places, torch.cat(self.value))
