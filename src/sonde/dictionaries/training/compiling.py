"""The loss and its gradients through ``torch.compile``, for sparsities whose latents are dense."""

import os
import shutil
from collections.abc import Callable
from typing import Any

import torch

from sonde.core.errors import SondeError
from sonde.dictionaries.sparsity import BatchTopK, Sparsity, TopK

COMPILERS = ("g++", "clang++")


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
    if device.type == "cpu" and not any(map(shutil.which, [os.environ.get("CXX", ""), *COMPILERS])):
        raise SondeError(
            "compile: true needs a C++ compiler on a CPU, and none was found "
            f"({', '.join(COMPILERS)}, or the one that CXX names).",
            fix="Install g++ (on Debian: apt-get install g++), or leave compile away.",
        )
    return torch.compile(loss)
