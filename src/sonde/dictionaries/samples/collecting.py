"""Samples of a finished dictionary, over a part of a corpus that passes by."""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch

from sonde.activations.row_batches import RowBatch
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.samples.colours import Fired, activations_around, encoded, fired
from sonde.dictionaries.samples.found import DictionarySamples, SampledFrom
from sonde.dictionaries.samples.heap import SampleHeap
from sonde.dictionaries.samples.settings import SampleSettings
from sonde.dictionaries.samples.tables import Sources, tabled
from sonde.dictionaries.samples.windows import Texts
from sonde.models.model import Model

MOST = 1 << 25  # activations remembered, of 12 bytes each


@torch.no_grad()
def collect(
    dictionary: Dictionary,
    batches: Callable[[], Iterable[RowBatch]],
    settings: SampleSettings,
    source: SampledFrom,
    *,
    corpus: Texts | None = None,
    model: Model | None = None,
) -> DictionarySamples:
    """Look at every batch, and tell what was kept with the activations around it.

    ``batches`` gives the same rows each time it is called, such as ``rows.held_out``; it is called
    again, for the activations around the samples, where more fired than is remembered (``MOST``).
    ``every`` of the settings is for training: here every batch counts. Without a corpus there are
    no texts and nothing that is known by them; without a model no effects on the logits.
    """
    heap = heap_for(dictionary, settings)
    remembered: list[Fired] = []
    count = 0
    for number, batch in enumerate(batches()):
        latents = encoded(dictionary, batch)
        heap.offer(latents, batch.token, number)
        if corpus is not None and count <= MOST:
            remembered.append(fired(latents, batch.token, heap.n_latents))
            count += len(remembered[-1].key)

    def around(latent: np.ndarray, token: np.ndarray) -> np.ndarray:
        again = (
            fired(encoded(dictionary, batch), batch.token, heap.n_latents) for batch in batches()
        )
        return activations_around(remembered if count <= MOST else again, latent, token)

    effects = None if model is None else partial(_effects, dictionary, model)
    return tabled(heap, source, Sources(corpus, around, effects), len(dictionary.parts))


def of_training(
    heap: SampleHeap,
    dictionary: Dictionary,
    source: SampledFrom,
    *,
    corpus: Texts | None = None,
    model: Model | None = None,
) -> DictionarySamples:
    """Make the tables of samples that were kept while a dictionary was trained.

    Their activations are those of their steps, so only the sampled token of a text has one.
    """
    effects = None if model is None else partial(_effects, dictionary, model)
    return tabled(heap, source, Sources(corpus, None, effects), len(dictionary.parts))


def heap_for(dictionary: Dictionary, settings: SampleSettings) -> SampleHeap:
    """Return an empty heap for the latents of a dictionary, on its device."""
    weight = dictionary.parts[0].encoder
    n = dictionary.architecture.d_sae * len(dictionary.parts)
    return SampleHeap(n, settings, weight.device)


def _effects(dictionary: Dictionary, model: Model, latents: torch.Tensor):
    from sonde.dictionaries.samples.effects import logit_effects

    return logit_effects(dictionary, model, latents)
