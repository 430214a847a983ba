"""Folds of pairwise data: no item is on both sides."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from sonde.core.errors import SondeError
from sonde.stats.folds import grouped_folds


@dataclass(frozen=True, slots=True, eq=False)
class PairFolds:
    """Items dealt into folds, and what follows for pairs of them.

    ``fold`` is the fold in which a pair is tested: that of both its items, or -1 where they lie in
    different ones. ``first`` and ``second`` are the folds of a pair's items.
    """

    first: Int[np.ndarray, " pair"]
    second: Int[np.ndarray, " pair"]
    n_folds: int

    @property
    def fold(self) -> Int[np.ndarray, " pair"]:
        """The fold in which each pair is tested, -1 where it is in none."""
        return np.where(self.first == self.second, self.first, -1)

    def train(self, fold: int) -> Bool[np.ndarray, " pair"]:
        """Mark the pairs to fit on when ``fold`` is tested: neither item lies in it."""
        return (self.first != fold) & (self.second != fold)

    def test(self, fold: int) -> Bool[np.ndarray, " pair"]:
        """Mark the pairs to test: both items lie in ``fold``."""
        return self.fold == fold

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (train, test) masks, fold by fold."""
        return ((self.train(fold), self.test(fold)) for fold in range(self.n_folds))


def pair_folds(first: np.ndarray, second: np.ndarray, n_folds: int, *, seed: int = 0) -> PairFolds:
    """Deal the items of pairs into folds, so that a pair is tested by fits that saw neither item.

    Pairs that straddle two folds train the others and are tested in none: of K folds about one
    pair in K is tested. That is the price of a score that holds for new items; with few items take
    few folds.

    Args:
        first: ``[pair]``, the name or number of the first item.
        second: ``[pair]``, of the second.
        n_folds: at least 2.
        seed: which of the equally good deals.

    Raises:
        SondeError: there are fewer items than folds, the lengths differ, or a fold would have no
            pair to test or to train on.
    """
    one, other = np.asarray(first).astype(str), np.asarray(second).astype(str)
    if one.ndim != 1 or one.shape != other.shape:
        raise SondeError(
            f"Pairs were given as items of shape {list(one.shape)} and {list(other.shape)}.",
            fix="Give both items of each pair.",
        )
    items, number = np.unique(np.concatenate([one, other]), return_inverse=True)
    fold_of_item = grouped_folds(np.arange(len(items)), n_folds, seed=seed)
    of_row = fold_of_item[number.reshape(2, -1)]
    dealt = PairFolds(of_row[0], of_row[1], n_folds)
    for fold, (train, test) in enumerate(dealt):
        if not train.any() or not test.any():
            lacking = "train on" if test.any() else "test"
            raise SondeError(
                f"Fold {fold} of {n_folds} has no pair to {lacking}: {len(one)} pairs of "
                f"{len(items)} items are too few to keep items apart.",
                fix="Ask for fewer folds, or give more pairs of each item.",
            )
    return dealt
