"""Controls: the same procedure where there is nothing to find, or nothing was fitted."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from sonde.probes.scored import Scored
from sonde.stats.interval import Interval


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """The score of a control: the mean over its repetitions, such as several shuffles."""

    score: Interval
    scored: tuple[Scored, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Which rows belong together: arrays of equal length."""

    unit: np.ndarray  # str
    example: np.ndarray  # str
    fold: Int[np.ndarray, " row"]


@runtime_checkable
class Shuffle(Protocol):
    """A way of dealing labels out anew: ``y[shuffle(layout, seed)]`` are the shuffled ones."""

    def __call__(self, layout: Layout, seed: int) -> Int[np.ndarray, " row"]:
        """Return for each row the row whose label it gets."""
        ...


def shuffled(
    values: Float[np.ndarray, " row"], unit: np.ndarray, seed: int
) -> Float[np.ndarray, " row"]:
    """Deal labels out anew, as ``shuffled_rows`` does."""
    return values[_dealt(unit, seed)]


def shuffled_rows(layout: Layout, seed: int) -> Int[np.ndarray, " row"]:
    """Deal the labels out anew, so that none has to do with its row's activations.

    The labels of each group are shuffled among themselves and the groups' labels, so shuffled,
    are laid end to end in random order and dealt to the rows, group by group. Each step alone
    would leave signal somewhere: where a label varies within groups (pairs of one positive and one
    negative), exchanging whole groups' labels changes nothing; where it varies between groups
    (documents), shuffling within them changes nothing. Both together destroy either. What stays is
    how alike the labels of one group are, on which the spread of a chance score depends: a shuffle
    of all rows would make groups look like independent rows. Groups of unequal size take what falls
    to them, which may be the end of one group's labels and the start of another's.
    """
    return _dealt(layout.unit, seed)


def shuffled_examples(layout: Layout, seed: int) -> Int[np.ndarray, " row"]:
    """Deal the labels of whole examples, all of whose rows have one, as ``shuffled_rows`` does."""
    _, first, number = np.unique(layout.example, return_index=True, return_inverse=True)
    dealt = _dealt(layout.unit[first], seed)
    return first[dealt][number.reshape(-1)]


def shuffled_in_folds(layout: Layout, seed: int) -> Int[np.ndarray, " row"]:
    """Deal the labels among the rows of each fold, so that pairs within a fold stay within it."""
    dealt = np.arange(len(layout.fold))
    for fold in np.unique(layout.fold):
        rows = np.flatnonzero(layout.fold == fold)
        dealt[rows] = rows[_dealt(layout.unit[rows], seed)]
    return dealt


def _dealt(unit: np.ndarray, seed: int) -> Int[np.ndarray, " row"]:
    rng = np.random.default_rng([seed, 0x5F])
    _, group = np.unique(unit, return_inverse=True)
    n_groups = int(group.max()) + 1
    source = np.lexsort((rng.random(len(unit)), rng.permutation(n_groups)[group]))
    target = np.lexsort((rng.random(len(unit)), rng.permutation(n_groups)[group]))
    dealt = np.empty_like(source)
    dealt[target] = source
    return dealt
