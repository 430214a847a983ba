"""What both contestants of the recovery race share: batches in one order, settings, the answer.

It runs in an environment of the library's own, so this file imports nothing but numpy and torch.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


class Course:
    """Rows, directions to start from, and the settings that are the same for both."""

    def __init__(self) -> None:
        self.job = json.loads(Path(sys.argv[1]).read_text())
        torch.set_num_threads(self.job["threads"])
        self.batch, self.steps = self.job["batch"], self.job["steps"]
        with np.load(self.job["rows"]) as found:
            self.x = torch.from_numpy(found["x"])
            self.directions = torch.from_numpy(found["directions"])

    def batches(self, start: int = 0) -> Iterator[Tensor]:
        """Yield ``steps`` batches, the rows over and over in one order."""
        an_epoch = len(self.x) // self.batch
        for number in range(start, self.steps):
            at = number % an_epoch * self.batch
            yield self.x[at : at + self.batch]

    def answer(self, decoders: dict[str, Tensor]) -> None:
        """Leave the decoders behind, ``[latent, d]`` by kind of sparsity."""
        np.savez(
            self.job["answer"], **{name: one.detach().numpy() for name, one in decoders.items()}
        )
