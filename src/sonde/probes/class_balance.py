"""How much each training row counts where classes are of unequal size."""

from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sonde.probes.likelihood_solver import RowWeights, unweighted
from sonde.probes.settings.balance import Balance, Inverse, Resample, SquareRoot

Units: TypeAlias = np.ndarray


def row_weights(balance: Balance, unit: Units, seed: int) -> RowWeights:
    """Return what weighs the training rows of each repetition of the labels, from these alone.

    ``unit`` are the groups of all rows, which resampling keeps whole or leaves out whole.
    """

    def weights(
        y: Float[Tensor, "repetition row"], train: Bool[Tensor, " row"]
    ) -> Float[Tensor, "repetition train"]:
        here = y[:, train]
        match balance:
            case SquareRoot(cap=cap):
                return torch.stack([_of_rows(one, square_root_weights(one, cap)) for one in here])
            case Inverse():
                return torch.stack([_of_rows(one, inverse_weights(one)) for one in here])
            case Resample():
                units = unit[train.cpu().numpy()]
                kept = [
                    resampled(one.cpu().numpy(), units, [seed, number])
                    for number, one in enumerate(here)
                ]
                return torch.from_numpy(np.stack(kept)).to(here)
            case _:
                return unweighted(y, train)

    return weights


def square_root_weights(y: Float[Tensor, " row"], cap: float) -> Float[Tensor, " class"]:
    """Return each class's weight, ``min(sqrt(n of the commonest / n), cap)``; at least 1.

    Milder than the inverse frequency: a class that is 100 times as rare counts 10 times at most,
    so a probe cannot win by always naming it. Classes without rows get 0.
    """
    n = torch.bincount(y.long()).to(y)
    return torch.where(n > 0, (n.max() / n.clamp(min=1)).sqrt().clamp(max=cap), 0.0)


def inverse_weights(y: Float[Tensor, " row"]) -> Float[Tensor, " class"]:
    """Return each class's weight, ``rows / (classes n)``, as scikit-learn's "balanced"; mean 1.

    Classes without rows get 0 and are not counted.
    """
    n = torch.bincount(y.long()).to(y)
    return torch.where(n > 0, len(y) / ((n > 0).sum() * n.clamp(min=1)), 0.0)


def resampled(
    y: Float[np.ndarray, " row"], unit: Units, seed: list[int]
) -> Float[np.ndarray, " row"]:
    """Return 1 for the rows that are kept, 0 for those left out to make the classes equal.

    Whole units are left out, in random order, as long as each brings the classes nearer to the
    size of the rarest and takes none below it; where units mix classes, equal sizes may be out of
    reach, and what is kept is as near as single steps lead.
    """
    classes, number = np.unique(y, return_inverse=True)
    _, of_unit = np.unique(unit, return_inverse=True)
    counts = np.zeros((of_unit.max() + 1, len(classes)))
    np.add.at(counts, (of_unit, number), 1)
    n, least = counts.sum(axis=0), counts.sum(axis=0).min()
    kept = np.ones(len(counts), dtype=bool)
    for one in np.random.default_rng(seed).permutation(len(counts)):
        if (n - counts[one] >= least).all():
            kept[one] = False
            n = n - counts[one]
    return kept[of_unit].astype(np.float64)


def _of_rows(y: Float[Tensor, " row"], weight: Float[Tensor, " class"]) -> Float[Tensor, " row"]:
    return weight[y.long()]
