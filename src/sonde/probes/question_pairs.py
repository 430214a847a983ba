"""Which pairs to ask about: connected at random, or where an answer would tell most."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from sonde.core.errors import SondeError
from sonde.probes.utilities import Utilities

Pairs = Int[np.ndarray, "_ 2"]
CANDIDATES = 200_000  # pairs that are weighed in a round; of more, so many at random


def random_pairs(n_items: int, n_pairs: int, rng: np.random.Generator) -> Pairs:
    """Draw different pairs that connect all items: a ring through them first, then others.

    Raises:
        SondeError: there are fewer than two items, or too few pairs to connect them.
    """
    if n_items < 2:
        raise SondeError(f"{n_items} tasks cannot be compared.", fix="Give at least two.")
    if n_pairs < n_items - 1:
        raise SondeError(
            f"{n_pairs} pairs cannot connect {n_items} tasks, so their utilities could not be "
            "told apart.",
            fix=f"Ask at least {n_items - 1} pairs; ten for each task are a good start.",
        )
    every = n_items * (n_items - 1) // 2
    ring = rng.permutation(n_items)
    pairs = np.stack([ring, np.roll(ring, -1)], axis=1)[: min(n_pairs, every)]
    chosen = {tuple(pair) for pair in np.sort(pairs, axis=1).tolist()}
    drawn = list(dict.fromkeys(chosen))
    while len(drawn) < min(n_pairs, every):
        for low, high in np.sort(rng.integers(0, n_items, (n_pairs, 2)), axis=1).tolist():
            if low != high and (low, high) not in chosen and len(drawn) < min(n_pairs, every):
                chosen.add((low, high))
                drawn.append((low, high))
    return np.array(drawn, np.int64)


def telling_pairs(found: Utilities, asked: Pairs, n_pairs: int, rng: np.random.Generator) -> Pairs:
    """Choose unasked pairs whose answers would tell most about the utilities.

    Ranks pairs by p (1 - p) v: v is the variance of the difference of their utilities, p the chance
    that the first wins, so close pairs of uncertain items come first (the gain in information is
    log(1 + p (1 - p) v) / 2). No item is asked about much more often than others in a round.
    """
    n = len(found.items)
    if n * (n - 1) // 2 <= CANDIDATES:
        first, second = np.triu_indices(n, 1)
    else:
        drawn = np.sort(rng.integers(0, n, (2 * CANDIDATES, 2)), axis=1)
        first, second = np.unique(drawn[drawn[:, 0] < drawn[:, 1]], axis=0).T
    new = ~np.isin(first * n + second, asked.min(axis=1) * n + asked.max(axis=1))
    first, second = first[new], second[new]
    p = 1 / (1 + np.exp(found.value[second] - found.value[first]))
    gain = p * (1 - p) * np.square(found.difference_error(first, second))
    most = 2 * -(-n_pairs // n) + 1
    times = np.zeros(n, np.int64)
    chosen: list[tuple[int, int]] = []
    for at in np.lexsort((rng.random(len(gain)), -gain)).tolist():
        pair = int(first[at]), int(second[at])
        if len(chosen) == n_pairs:
            break
        if max(times[list(pair)]) < most:
            times[list(pair)] += 1
            chosen.append(pair)
    return np.array(chosen, np.int64).reshape(-1, 2)


def rounds_of(n_items: int, n_pairs: int, rounds: int) -> Sequence[int]:
    """Share pairs out over rounds, the first of which must connect all items."""
    first = max(n_items, -(-n_pairs // rounds))
    if first >= n_pairs:
        return (n_pairs,)
    left, more = n_pairs - first, rounds - 1
    return (first, *(left // more + (number < left % more) for number in range(more)))
