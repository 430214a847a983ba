"""How well batches are mixed: rows of one chunk say much the same, and should not come together."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sonde.activations.row_batches import RowBatch


@dataclass(frozen=True, slots=True)
class Mixing:
    """How often two rows of a batch are of one group (a chunk, or a document).

    ``share`` is the share of pairs within batches that are, ``full`` what a full shuffle of all
    rows gives, ``worst`` what batches in the order of the texts give; all in [0, 1].
    """

    share: float
    full: float
    worst: float

    @property
    def quality(self) -> float:
        """(worst - share) / (worst - full): 1 as well as a full shuffle, 0 as no shuffle at all.

        NaN where a full shuffle is no better than none.
        """
        span = self.worst - self.full
        return (self.worst - self.share) / span if span > 0 else float("nan")


def mixing_of(groups: Iterable[np.ndarray]) -> Mixing:
    """Measure batches, given the group of each row, ``[row]`` a batch.

    With n_g rows of group g among n, a pair within a batch is of one group with probability
    ``sum_g n_g (n_g - 1) / (n (n - 1))`` after a full shuffle. ``full`` and
    ``worst`` are of the rows given.
    """
    batches = [np.asarray(one) for one in groups]
    rows = np.concatenate([np.empty(0, np.int64), *batches])
    ordered = np.sort(rows, kind="stable")
    edges = np.cumsum([len(one) for one in batches])[:-1]
    pieces = np.split(ordered, edges) if batches else []
    return Mixing(_share(batches), _share([rows]), _share(pieces))


def mixing_of_chunks(batches: Iterable[RowBatch], context: int) -> Mixing:
    """Measure batches of a corpus whose chunks have ``context`` tokens: rows of one chunk."""
    return mixing_of(batch.token.cpu().numpy() // context for batch in batches)


def _share(batches: list[np.ndarray]) -> float:
    same = pairs = 0
    for one in batches:
        counts = np.unique(one, return_counts=True)[1]
        same += int((counts * (counts - 1)).sum())
        pairs += len(one) * (len(one) - 1)
    return same / pairs if pairs else float("nan")
