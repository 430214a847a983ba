"""The loss and its gradients through ``torch.compile``, for sparsities whose latents are dense."""

import os
import shutil
import sys
from collections.abc import Callable
from typing import Any

import torch

from sonde.core.errors import SondeError
from sonde.dictionaries.sparsity import BatchTopK, Sparsity, TopK


def compiled(loss: Callable[..., Any], sparsity: Sparsity, device: torch.device) -> Any:
    """Return the loss, compiled at its first step; that takes some seconds.

    Raises:
        SondeError: the sparsity is TopK or BatchTopK, whose products touch active latents alone
            and leave nothing to fuse; or there is no C++ compiler for code on a CPU.
    """
    if isinstance(sparsity, TopK | BatchTopK):
        raise SondeError(
            f"compile: true is for relu, jumprelu and gated latents; these are {sparsity.kind}.",
            fix="Leave compile away: the products of the TopK family are kernels of their own.",
        )
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise SondeError(
            f"compile: true needs a C++ compiler on a CPU, and {compiler} is not here.",
            fix=f"Install {compiler}, name another in the variable CXX, or leave compile away.",
        )
    return torch.compile(loss)
