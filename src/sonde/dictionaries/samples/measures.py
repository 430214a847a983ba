"""What the samples of a latent say of it: in how many contexts, and on how many tokens it fires."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from sonde.dictionaries.samples.windows import Windows


def context_diversity(
    latent: Int[np.ndarray, " sample"], context: Int[np.ndarray, " sample"], n_latents: int
) -> Float[np.ndarray, " latent"]:
    """Return how many different contexts each latent's samples have, divided by the samples.

    In (0, 1]: 1 where no two are alike, 1 / n where all n are one text seen again and again; NaN
    for a latent without samples. ``context`` numbers equal contexts alike (``context_numbers``).
    """
    samples = np.bincount(latent, minlength=n_latents)
    different = np.unique(np.stack([latent, context]), axis=1)[0]
    found = np.bincount(different, minlength=n_latents)
    return np.divide(found, samples, out=np.full(n_latents, np.nan), where=samples > 0)


def context_numbers(windows: Windows) -> Int[np.ndarray, " sample"]:
    """Number contexts, equal ones alike: the tokens of a window, and where it is cut.

    The numbers are 64 bits of a hash: among a million contexts two different ones are taken for
    equal with a probability of 3e-8.
    """
    with np.errstate(over="ignore"):
        found = np.zeros(len(windows), np.uint64)
        for column in windows.ids.T:
            found = _mixed(found ^ column.astype(np.int64).view(np.uint64))
    return found.view(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class TokenSpread:
    """On which tokens each latent fires, by its samples.

    ``effective`` is how many tokens it fires on, the exponential of their entropy: n for n tokens
    that are equally frequent. ``specialisation`` is ``1 - ln(effective) / ln(samples)``, one minus
    the entropy as a share of the highest possible: 1 for a latent that fires on one token alone, 0
    for one whose samples are all of different tokens; NaN for fewer than two samples. ``token``
    lists the most frequent ids, ``share`` their shares, the most frequent first.
    """

    effective: Float[np.ndarray, " latent"]
    specialisation: Float[np.ndarray, " latent"]
    token: Sequence[Int[np.ndarray, " _"]]
    share: Sequence[Float[np.ndarray, " _"]]


def token_spread(
    latent: Int[np.ndarray, " sample"],
    token_id: Int[np.ndarray, " sample"],
    n_latents: int,
    most: int = 8,
) -> TokenSpread:
    """Return on which tokens latents fire; the samples should be taken at random."""
    pairs, counts = np.unique(np.stack([latent, token_id]), axis=1, return_counts=True)
    samples = np.bincount(latent, minlength=n_latents)
    share = counts / samples[pairs[0]]
    entropy = np.bincount(pairs[0], weights=-share * np.log(share), minlength=n_latents)
    effective = np.where(samples > 0, np.exp(entropy), np.nan)
    highest = np.log(np.maximum(samples, 1))
    spread = np.divide(entropy, highest, out=np.full(n_latents, np.nan), where=samples > 1)
    order = np.lexsort((pairs[1], -counts, pairs[0]))
    ends = np.searchsorted(pairs[0][order], np.arange(n_latents + 1))
    first = [order[start:end][:most] for start, end in pairwise(ends)]
    return TokenSpread(
        effective,
        1 - spread,
        [pairs[1][one] for one in first],
        [share[one] for one in first],
    )


def _mixed(number: np.ndarray) -> np.ndarray:
    """Return the finaliser of splitmix64, as in ``draws``."""
    number = number + np.uint64(0x9E3779B97F4A7C15)
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return number ^ (number >> np.uint64(31))
