"""Controls: the same procedure where there is nothing to find, or nothing was fitted."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sonde.probes.scored import Scored
from sonde.stats.interval import Interval


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """The score of a control: the mean over its repetitions, such as several shuffles."""

    score: Interval
    scored: tuple[Scored, ...]


def shuffled(
    values: Float[np.ndarray, " row"], unit: np.ndarray, seed: int
) -> Float[np.ndarray, " row"]:
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
    rng = np.random.default_rng([seed, 0x5F])
    _, group = np.unique(unit, return_inverse=True)
    n_groups = int(group.max()) + 1
    source = np.lexsort((rng.random(len(values)), rng.permutation(n_groups)[group]))
    target = np.lexsort((rng.random(len(values)), rng.permutation(n_groups)[group]))
    dealt = np.empty_like(values)
    dealt[target] = values[source]
    return dealt
