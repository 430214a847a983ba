"""How active a latent is on each token around its samples."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from sonde.activations.row_batches import RowBatch
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.latents import Latents
from sonde.dictionaries.samples.active import active_of


@dataclass(frozen=True, slots=True, eq=False)
class Fired:
    """What fired in some rows: activations by ``row * n_latents + latent``, ascending.

    ``token`` is the number of each row in its corpus.
    """

    token: Int[np.ndarray, " row"]
    key: Int[np.ndarray, " active"]
    value: Float[np.ndarray, " active"]
    n_latents: int

    def at(
        self, row: Int[np.ndarray, " any"], latent: Int[np.ndarray, " any"]
    ) -> Float[np.ndarray, " any"]:
        """Return the activations of latents in rows, 0 where they did not fire."""
        if not len(self.key):
            return np.zeros(len(row), np.float32)
        key = row * self.n_latents + latent
        place = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        return np.where(self.key[place] == key, self.value[place], np.float32(0))


@torch.no_grad()
def encoded(dictionary: Dictionary, batch: RowBatch) -> tuple[Latents, ...]:
    """Return the latents of a batch, at the hook points that the dictionary reads."""
    weight = dictionary.parts[0].encoder
    sources = [batch.tensors[parse_hook_point(one)] for one in dictionary.architecture.sources]
    return dictionary.encode([one.to(weight) for one in sources])


def fired(latents: tuple[Latents, ...], token: torch.Tensor, n_latents: int) -> Fired:
    """Return what fired in a batch, on the CPU."""
    active = active_of(latents, n_latents)
    key = active.row * n_latents + active.latent
    key, order = key.sort()
    value = active.value[order]
    return Fired(token.cpu().numpy(), key.cpu().numpy(), value.cpu().numpy(), n_latents)


def activations_around(
    rows: Iterable[Fired],
    latent: Int[np.ndarray, " sample"],
    token: Int[np.ndarray, "sample window"],
) -> Float[np.ndarray, "sample window"]:
    """Return each sample's latent on every token of its window; NaN where no row was.

    ``token`` numbers the tokens of the windows, -1 outside. Rows may come in any order; tokens
    without a row are those that are left out everywhere, such as attention sinks.
    """
    found = np.full(token.shape, np.nan, np.float32)
    place = np.flatnonzero(token.ravel() >= 0)
    place = place[np.argsort(token.ravel()[place], kind="stable")]
    wanted = token.ravel()[place]
    of = np.repeat(latent, token.shape[1])[place]
    for some in rows:
        first = np.searchsorted(wanted, some.token)
        counts = np.searchsorted(wanted, some.token, side="right") - first
        row = np.repeat(np.arange(len(counts)), counts)
        # The places wanted of each row, one after another.
        at = np.arange(len(row)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        found.ravel()[place[at]] = some.at(row, of[at])
    return found
