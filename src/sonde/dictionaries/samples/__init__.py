"""Samples of a dictionary's latents: what each is active on, counted, kept, written and read."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily
from sonde.dictionaries.samples.settings import SampleSettings

if TYPE_CHECKING:
    from sonde.dictionaries.samples.collecting import collect, heap_for, of_training
    from sonde.dictionaries.samples.files import load_samples, save_samples
    from sonde.dictionaries.samples.found import DictionarySamples, SampledFrom
    from sonde.dictionaries.samples.heap import SampleHeap

__all__ = [
    "DictionarySamples",
    "SampleHeap",
    "SampleSettings",
    "SampledFrom",
    "collect",
    "heap_for",
    "load_samples",
    "of_training",
    "save_samples",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "DictionarySamples": "found",
        "SampleHeap": "heap",
        "SampledFrom": "found",
        "collect": "collecting",
        "heap_for": "collecting",
        "load_samples": "files",
        "of_training": "collecting",
        "save_samples": "files",
    },
)
