"""What every contestant shares: wait for a word, run once, answer with the time on one line.

A contestant stays loaded between rounds, so that rounds can alternate and each one times the work
alone. It runs in an environment of its own, so this file imports nothing but numpy.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCH = 8


def task() -> dict:
    """Read the task: model folder, texts, layers, where to leave the answer."""
    return json.loads(Path(sys.argv[1]).read_text())


def serve(run: Callable[[list[str]], np.ndarray | None], job: dict) -> None:
    """Warm up on a few texts, then run on all of them for each line on standard input.

    ``run`` takes texts and returns ``[text, layer, d_model]``, or None for the bare limit.
    """
    run(job["texts"][: 2 * BATCH])
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        result = run(job["texts"])
        seconds = time.perf_counter() - start
        if result is not None:
            np.save(job["answer"], result)
        print(json.dumps({"seconds": seconds}), flush=True)


def batches(items: list, size: int = BATCH) -> list[list]:
    """Cut a list into batches in the order given, as a script without a plan does."""
    return [items[start : start + size] for start in range(0, len(items), size)]
