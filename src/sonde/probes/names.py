"""The names of controls and baselines, as results, tables, claims and reports show them."""

from collections.abc import Iterable

# Controls: the same procedure where there is nothing to find, or nothing was fitted.
SHUFFLED = "shuffled labels"  # the labels say nothing of the rows
DIRECTION = "random direction"  # the activations are read along a direction that was not fitted
WEIGHTS = "random weights"  # the activations are those of the same model, untrained
CONTROLS = (SHUFFLED, DIRECTION, WEIGHTS)

# Baselines: what can be said of the labels without the model.
BAG = "bag of tokens"
LENGTH = "length"
CURRENT = "current token"  # of a token task, where a row is a token: in place of the others
BASELINES = (BAG, LENGTH, CURRENT)


def in_order(given: Iterable[str]) -> list[str]:
    """Return names in the order of reading: controls, then baselines, then others by alphabet."""
    place = {name: number for number, name in enumerate((*CONTROLS, *BASELINES))}
    return sorted(given, key=lambda name: (place.get(name, len(place)), name))
