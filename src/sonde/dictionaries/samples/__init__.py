"""Samples of a dictionary's latents: what each is active on, counted, kept, written and read."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily
from sonde.dictionaries.samples.settings import SampleSettings

if TYPE_CHECKING:
    from sonde.dictionaries.samples.heap import SampleHeap

__all__ = ["SampleHeap", "SampleSettings"]

__getattr__, __dir__ = lazily(__name__, {"SampleHeap": "heap"})
