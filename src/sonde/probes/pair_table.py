"""Comparisons of numbered items, summed so that each pair of items stands once."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PairTable:
    """What spoke for either item of each pair that was compared, ``low < high``.

    A comparison of weight v and outcome o, in which 1 says that its first item won, adds v o to its
    first item's side and v (1 - o) to the other's: a tie is half a win each way. These sums are all
    that a Bradley-Terry likelihood needs, whichever item was named first and however often.
    """

    low: Int[np.ndarray, " pair"]
    high: Int[np.ndarray, " pair"]
    for_low: Float[np.ndarray, " pair"]
    for_high: Float[np.ndarray, " pair"]

    @classmethod
    def of(
        cls,
        first: Int[np.ndarray, " comparison"],
        second: Int[np.ndarray, " comparison"],
        outcome: Float[np.ndarray, " comparison"],
        weight: Float[np.ndarray, " comparison"] | None = None,
    ) -> "PairTable":
        """Sum comparisons by pair; pairs come in the order of their items."""
        weight = np.ones(len(outcome)) if weight is None else weight
        turned = first > second
        low, high = np.where(turned, second, first), np.where(turned, first, second)
        for_low = weight * np.where(turned, 1 - outcome, outcome)
        n_items = int(high.max()) + 1 if len(high) else 0
        pairs, at = np.unique(low * n_items + high, return_inverse=True)
        return cls(
            low=pairs // max(n_items, 1),
            high=pairs % max(n_items, 1),
            for_low=np.bincount(at, for_low, len(pairs)),
            for_high=np.bincount(at, weight - for_low, len(pairs)),
        )

    def __len__(self) -> int:
        return len(self.low)

    def among(self, kept: Bool[np.ndarray, " item"]) -> "PairTable":
        """Keep the pairs both of whose items are marked."""
        both = kept[self.low] & kept[self.high]
        return PairTable(self.low[both], self.high[both], self.for_low[both], self.for_high[both])

    def renumbered(self, number: Int[np.ndarray, " item"]) -> "PairTable":
        """Give every item another number; sides stay as they are, so low may exceed high."""
        return PairTable(number[self.low], number[self.high], self.for_low, self.for_high)


@dataclass(frozen=True, slots=True, eq=False)
class Incidence:
    """The sparse matrix of pairs by items, 1 at a pair's one item and -1 at its other.

    A product with torch's own sparse matrices takes ten times as long on a CPU, so scipy's are used
    there; a GPU gathers and scatters.
    """

    low: Int[Tensor, " pair"]
    high: Int[Tensor, " pair"]
    n_items: int
    matrix: object | None
    transposed: object | None

    @classmethod
    def of(cls, pairs: PairTable, n_items: int, device: torch.device) -> "Incidence":
        """Lay the matrix out for a device."""
        low, high = (torch.from_numpy(side).to(device) for side in (pairs.low, pairs.high))
        if device.type != "cpu":
            return cls(low, high, n_items, None, None)
        from scipy.sparse import csr_matrix

        n = len(pairs)
        signs = np.tile([1.0, -1.0], n)
        columns = np.stack([pairs.low, pairs.high], axis=1).ravel()
        matrix = csr_matrix((signs, columns, np.arange(0, 2 * n + 1, 2)), shape=(n, n_items))
        return cls(low, high, n_items, matrix, matrix.T.tocsr())

    def differences(self, items: Float[Tensor, "item column"]) -> Float[Tensor, "pair column"]:
        """Return low minus high for each pair."""
        if self.matrix is None:
            return items[self.low] - items[self.high]
        return torch.from_numpy(self.matrix @ items.numpy())  # pyright: ignore[reportOperatorIssue]

    def sums(self, pairs: Float[Tensor, "pair column"]) -> Float[Tensor, "item column"]:
        """Return for each item the sum over its pairs, negative where it is the high one."""
        if self.transposed is None:
            found = pairs.new_zeros(self.n_items, pairs.shape[1])
            return found.index_add_(0, self.low, pairs).index_add_(0, self.high, -pairs)
        return torch.from_numpy(self.transposed @ pairs.numpy())  # pyright: ignore[reportOperatorIssue]
