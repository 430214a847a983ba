"""How active a latent is on each token around its samples, from rows that pass by once more."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Int

from sonde.activations.row_batches import RowBatch
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.latents import Latents


@torch.no_grad()
def encoded(dictionary: Dictionary, batch: RowBatch) -> tuple[Latents, ...]:
    """Return the latents of a batch, at the hook points that the dictionary reads."""
    weight = dictionary.parts[0].encoder
    sources = [batch.tensors[parse_hook_point(one)] for one in dictionary.architecture.sources]
    return dictionary.encode([one.to(weight) for one in sources])


def activations_around(
    dictionary: Dictionary,
    batches: Iterable[RowBatch],
    latent: Int[np.ndarray, " sample"],
    token: Int[np.ndarray, "sample window"],
) -> Float[np.ndarray, "sample window"]:
    """Return each sample's latent on every token of its window; NaN where no row was.

    ``token`` numbers the tokens of the windows, -1 outside. Batches may come in any order; tokens
    without a row are those that are left out everywhere, such as attention sinks.
    """
    found = np.full(token.shape, np.nan, np.float32)
    place = np.flatnonzero(token.ravel() >= 0)
    place = place[np.argsort(token.ravel()[place], kind="stable")]
    wanted = token.ravel()[place]
    of = np.repeat(latent, token.shape[1])[place]
    for batch in batches:
        rows = batch.token.cpu().numpy()
        first, last = np.searchsorted(wanted, rows), np.searchsorted(wanted, rows, side="right")
        counts = last - first
        row = np.repeat(np.arange(len(rows)), counts)
        # The places wanted of each row, one after another.
        at = np.arange(len(row)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        if len(row):
            values = _looked_up(encoded(dictionary, batch), row, of[at])
            found.ravel()[place[at]] = values
    return found


def _looked_up(
    latents: tuple[Latents, ...], row: Int[np.ndarray, " any"], latent: Int[np.ndarray, " any"]
) -> Float[np.ndarray, " any"]:
    """Return activations of (row, latent), 0 where a latent is not active."""
    found = np.zeros(len(row), np.float32)
    before = 0
    for block in latents:
        width = block.value.shape[1] if block.places is None else block.places.n_latents
        own = np.flatnonzero((latent >= before) & (latent < before + width))
        key = row[own] * width + latent[own] - before
        value = block.value.float().cpu().numpy()
        if block.places is None:
            found[own] = value.ravel()[key]
        elif len(value):
            flat = block.places.flat.cpu().numpy()
            at = np.minimum(np.searchsorted(flat, key), len(flat) - 1)
            found[own] = np.where(flat[at] == key, value[at], 0)
        before += width
    return found
