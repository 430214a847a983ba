"""What a recipe needs of the machine: known before a model is loaded."""

import importlib.util
import os
import shutil
import sys

import torch

from sonde.core.errors import SondeError
from sonde.dictionaries.training.settings import Adam, Muon, Training


def check_machine(training: Training, device: torch.device) -> None:
    """Refuse a recipe that cannot be followed on this device, or with what is installed.

    Raises:
        SondeError: 8-bit moments without a GPU or without bitsandbytes, Muon in a torch that has
            none, ``compile`` on a CPU without a C++ compiler.
    """
    if isinstance(training.optimiser, Adam) and training.optimiser.eight_bit:
        _check_eight_bit(device)
    if isinstance(training.optimiser, Muon) and not hasattr(torch.optim, "Muon"):
        raise SondeError(
            f"torch {torch.__version__} has no Muon.", fix="Install torch 2.9 or later."
        )
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if training.compile and device.type == "cpu" and shutil.which(compiler) is None:
        raise SondeError(
            f"compile: true needs a C++ compiler on a CPU, and {compiler} is not here.",
            fix=f"Install {compiler}, name another in the variable CXX, or leave compile away.",
        )


def _check_eight_bit(device: torch.device) -> None:
    if device.type != "cuda":
        raise SondeError(
            f"8-bit moments need a GPU, and dictionaries train on {device.type} here.",
            fix="Leave eight_bit away.",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise SondeError("8-bit moments need bitsandbytes.", fix="pip install 'sonde[quantised]'")
