"""How many threads a problem is worth."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

SMALL = 1000  # rows

Item = TypeVar("Item")
Answer = TypeVar("Answer")


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


def each(work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """Do the work for each item, on as many threads as torch has, each item on one of them.

    Products of few columns gain less from a second thread than a second layer does.
    """
    threads = min(torch.get_num_threads(), len(items))
    if threads < 2:
        return [work(item) for item in items]
    before = torch.get_num_threads()

    def alone(item: Item) -> Answer:
        torch.set_num_threads(1)
        return work(item)

    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(alone, items))
    finally:
        torch.set_num_threads(before)
