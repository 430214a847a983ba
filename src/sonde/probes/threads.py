"""How many threads a problem is worth."""

from collections.abc import Generator
from contextlib import contextmanager

import torch

SMALL = 1000  # rows


@contextmanager
def threads_for(rows: int) -> Generator[None]:
    """Let small problems run on one thread.

    Their thousands of small products gain nothing from more, and where other work shares the
    cores the threads wait for each other: 360 rows of 576 took two to four times as long on two.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if rows < SMALL else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
