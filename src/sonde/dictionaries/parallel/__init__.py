"""Dictionaries that do not fit one device: rows and latents shared by several processes."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily

if TYPE_CHECKING:
    from sonde.dictionaries.parallel.gradients import WithLoss, clip_gradients, data_parallel
    from sonde.dictionaries.parallel.joining import join
    from sonde.dictionaries.parallel.share import WHOLE, Share
    from sonde.dictionaries.parallel.storing import load_shared, shared, whole

__all__ = [
    "WHOLE",
    "Share",
    "WithLoss",
    "clip_gradients",
    "data_parallel",
    "join",
    "load_shared",
    "shared",
    "whole",
]

# A block knows its share, and what puts shards together knows blocks.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "WHOLE": "share",
        "Share": "share",
        "WithLoss": "gradients",
        "clip_gradients": "gradients",
        "data_parallel": "gradients",
        "join": "joining",
        "load_shared": "storing",
        "shared": "storing",
        "whole": "storing",
    },
)
