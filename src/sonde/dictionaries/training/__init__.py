"""Training of dictionaries: one source of rows feeds several, and a killed run goes on."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily
from sonde.dictionaries.training.settings import Adam, AuxK, Muon, Resampling, Training

if TYPE_CHECKING:
    from sonde.dictionaries.training.course import Running, Trained, train

__all__ = ["Adam", "AuxK", "Muon", "Resampling", "Running", "Trained", "Training", "train"]

__getattr__, __dir__ = lazily(
    __name__, {"Running": "course", "Trained": "course", "train": "course"}
)
