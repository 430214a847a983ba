"""The samples of a heap as columns, one line a sample."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sonde.dictionaries.samples.best import Entries
from sonde.dictionaries.samples.heap import SampleHeap
from sonde.dictionaries.samples.settings import SampleSettings

DRAWN = ("top", "octave", "random")
TOP, OCTAVE, RANDOM = range(3)


@dataclass(frozen=True, slots=True, eq=False)
class FlatSamples:
    """Samples, latent by latent: the largest, then those of each octave, then those at random.

    ``drawn`` says how a sample came to be one, as a place in ``DRAWN``; ``octave`` counts octaves
    above the threshold, -1 where the sample was not drawn from one; ``rank`` counts samples of one
    latent that were drawn alike.
    """

    latent: Int[np.ndarray, " sample"]
    drawn: Int[np.ndarray, " sample"]
    octave: Int[np.ndarray, " sample"]
    rank: Int[np.ndarray, " sample"]
    value: Float[np.ndarray, " sample"]
    token: Int[np.ndarray, " sample"]
    step: Int[np.ndarray, " sample"]

    def __len__(self) -> int:
        return len(self.latent)

    def with_texts(self, settings: SampleSettings) -> Bool[np.ndarray, " sample"]:
        """Mark the samples that are written with their text."""
        most = np.array([settings.texts, min(settings.texts, 1), settings.texts])
        return self.rank < most[self.drawn]


def flat_samples(heap: SampleHeap) -> FlatSamples:
    """Return all samples of a heap."""
    parts = [
        _columns(heap.top.kept, TOP, 1),
        _columns(heap.strata.kept, OCTAVE, max(1, heap.settings.strata)),
        _columns(heap.uniform.kept, RANDOM, 1),
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[3], columns[2], columns[1], columns[0]))
    return FlatSamples(*(column[order] for column in columns))


def _columns(kept: Entries, drawn: int, strata: int) -> tuple[np.ndarray, ...]:
    there = kept.priority.cpu().numpy() >= 0
    bucket, rank = np.nonzero(there)
    octave = bucket % strata if drawn == OCTAVE else np.full(len(bucket), -1)
    return (
        bucket // strata,
        np.full(len(bucket), drawn),
        octave,
        rank,
        kept.value.cpu().numpy()[there],
        kept.token.cpu().numpy()[there],
        kept.step.cpu().numpy()[there],
    )
