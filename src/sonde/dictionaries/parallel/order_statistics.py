"""The count-th largest of numbers that lie in several processes, exactly and with few words."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.dictionaries.parallel.ranks import Ranks

DIGIT = 11  # bits looked at in one round: 2,048 counts are told
WHOLE_NUMBERS = {
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
    torch.float32: torch.int32,
    torch.float64: torch.int64,
}


def keys_of(positive: Float[Tensor, "*any"]) -> Int[Tensor, "*any"]:
    """Return whole numbers in the order of positive floats: their bits."""
    return positive.view(WHOLE_NUMBERS[positive.dtype]).long()


def kth_largest(key: Int[Tensor, " any"], count: int, bits: int, ranks: Ranks) -> int:
    """Return the key that is ``count``-th largest among those of all processes.

    A radix selection: every round counts the keys by their next digit, adds the counts of all
    processes and keeps the keys with the digit that the wanted one has. What is told does not grow
    with the number of keys.

    Args:
        key: of this process, not negative, any number of them.
        count: from 1 to the number of all keys.
        bits: that keys have at most.
        ranks: the processes.
    """
    found, left = 0, count
    for shift in reversed(range(0, bits, DIGIT)):
        digit = (key >> shift) & ((1 << DIGIT) - 1)
        counts = ranks.sum(torch.bincount(digit, minlength=1 << DIGIT))
        down = counts.flip(0).cumsum(0)  # how many have this digit or a larger one
        place = int(torch.searchsorted(down, left))
        left -= int(down[place] - counts.flip(0)[place])
        own = len(counts) - 1 - place
        found = (found << DIGIT) | own
        key = key[digit == own]
    return found
