"""Comparisons joined to rows, and the lines that score a utility against them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sonde.probes.lines import Predicted, Said, Truth, Y
from sonde.probes.pair_table import PairTable

TIE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Comparisons of numbered items: 1 where the first won, 0 where the second did, 0.5 for a tie.

    ``weight`` says how much each counts in a fit.
    """

    first: Int[np.ndarray, " comparison"]
    second: Int[np.ndarray, " comparison"]
    outcome: Float[np.ndarray, " comparison"]
    weight: Float[np.ndarray, " comparison"]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def pairs(self) -> PairTable:
        """The same, each pair once."""
        return PairTable.of(self.first, self.second, self.outcome, self.weight)


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonLines:
    """A line a comparison of two items of one fold: the difference of their utilities.

    Comparisons whose items lie in different folds train the fits of the other folds and are tested
    in none; they are counted in ``straddling``. Ties have no winner to tell and are counted in
    ``ties``. A line starts from the item of the lower number, so that neither side is favoured by
    which item the data names first. Weights have no part in the score.
    """

    rows: Int[np.ndarray, " line"]
    other: Int[np.ndarray, " line"]
    won: Float[np.ndarray, " line"]
    ties: int
    straddling: int
    absent: int  # comparisons of which an item has no row here

    @classmethod
    def of(
        cls,
        compared: Compared,
        item: Int[np.ndarray, " row"],
        folds: Int[np.ndarray, " row"],
    ) -> "ComparisonLines":
        """Find the rows of both items of each comparison; ``item`` numbers each row's item."""
        highest = max(item.max(), compared.first.max(), compared.second.max())
        row_of = np.full(int(highest) + 1, -1)
        row_of[item] = np.arange(len(item))
        turned = compared.first > compared.second
        low = row_of[np.where(turned, compared.second, compared.first)]
        high = row_of[np.where(turned, compared.first, compared.second)]
        outcome = np.where(turned, 1 - compared.outcome, compared.outcome)
        there = (low >= 0) & (high >= 0)
        within = there & (folds[low] == folds[high])
        decided = outcome != TIE
        kept = within & decided
        return cls(
            rows=low[kept],
            other=high[kept],
            won=(outcome[kept] > TIE).astype(np.float64),
            ties=int((within & ~decided).sum()),
            straddling=int((there & ~within).sum()),
            absent=int((~there).sum()),
        )

    def truth(self, y: Y) -> Truth:
        """Return 1 where the first item won; shuffles move items, not who won."""
        return np.repeat(self.won[:, None], y.shape[1], axis=1)

    def said(self, predicted: Predicted) -> Said:
        """Return by how much the first item's utility exceeds the second's."""
        utility = predicted[..., 0]
        return utility[..., self.rows, :] - utility[..., self.other, :]
