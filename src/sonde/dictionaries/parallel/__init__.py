"""Dictionaries that do not fit one device: rows and latents shared by several processes."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily

if TYPE_CHECKING:
    from sonde.dictionaries.parallel.gradients import WithLoss, data_parallel, norm_of_gradients
    from sonde.dictionaries.parallel.joining import join
    from sonde.dictionaries.parallel.share import WHOLE, Share
    from sonde.dictionaries.parallel.storing import load_shared, shared, whole
    from sonde.dictionaries.parallel.training import TrainedTogether, train_together

__all__ = [
    "WHOLE",
    "Share",
    "TrainedTogether",
    "WithLoss",
    "data_parallel",
    "join",
    "load_shared",
    "norm_of_gradients",
    "shared",
    "train_together",
    "whole",
]

# A block knows its share, and what puts shards together knows blocks.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "WHOLE": "share",
        "Share": "share",
        "TrainedTogether": "training",
        "WithLoss": "gradients",
        "data_parallel": "gradients",
        "join": "joining",
        "load_shared": "storing",
        "norm_of_gradients": "gradients",
        "shared": "storing",
        "train_together": "training",
        "whole": "storing",
    },
)
