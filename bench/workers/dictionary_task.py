"""What contestants share that train a dictionary: the rows, the pace, the error at the end.

Each library's own trainer asks for batches here, one after another, and a step lasts from one
question to the next: forward and backward pass, optimiser, and whatever else the trainer does. When
a round is over, the answer to the next question waits until the next round begins. It runs in
environments of the libraries' own, so this file imports nothing but numpy and torch.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

WARM = 3  # steps before the first round


class Rounds:
    """Batches in one order for all, and the time of a step in each round."""

    def __init__(self) -> None:
        self.job = json.loads(Path(sys.argv[1]).read_text())
        torch.set_num_threads(self.job["threads"])
        with np.load(self.job["rows"]) as found:
            self.data = {name: torch.from_numpy(found[name]) for name in found}
        self.batch, self.steps = self.job["batch"], self.job["steps"]
        self.x, self.y = self.data["x"], self.data.get("y", self.data["x"])
        self.total = WARM + self.steps * self.job["rounds"] + 1  # the last is not timed
        self._start = self._seconds = 0.0

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs and targets, ``total`` times."""
        an_epoch = len(self.x) // self.batch
        for number in range(self.total):
            self._pause(number - WARM)
            at = slice(number % an_epoch * self.batch, (number % an_epoch + 1) * self.batch)
            yield self.x[at], self.y[at]

    def finish(self, reconstruct: Callable[[Tensor], Tensor] | None = None) -> None:
        """Leave the FVU of the held-out rows behind, and answer for the last round."""
        if reconstruct is not None:
            x = self.data["held_out_x"]
            y = self.data.get("held_out_y", x)
            with torch.no_grad():
                made = torch.cat([reconstruct(part) for part in x.split(self.batch)])
                left = (y - made).square().sum() / (y - y.mean(dim=0)).square().sum()
            np.save(self.job["answer"], np.array([float(left)]))
        self._answer({"seconds": self._seconds})

    def _pause(self, done: int) -> None:
        """End a round, and wait for the next to begin."""
        if done < 0 or done % self.steps:
            return
        self._seconds = (time.perf_counter() - self._start) / self.steps
        if done == self.total - WARM - 1:
            return
        self._answer({"seconds": self._seconds} if done else {"ready": True})
        sys.stdin.readline()
        self._start = time.perf_counter()

    def _answer(self, what: dict) -> None:
        print(json.dumps(what), flush=True)
