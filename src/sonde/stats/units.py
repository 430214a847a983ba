"""Who shares units with whom: the independent units of several scores, and what they covary."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from sonde.stats.scores import Scores

Design = Literal["single", "paired", "partly paired", "unpaired"]
Rows = Float[np.ndarray, " row"]


@dataclass(frozen=True, slots=True, eq=False)
class RowUnits:
    """The unit of each row of one part, numbered over all parts; two units in pairwise data."""

    first: Int[np.ndarray, " row"]
    second: Int[np.ndarray, " row"] | None
    n: int  # of all parts

    def sums(self, values: Rows) -> Float[np.ndarray, " unit"]:
        """Add up each unit's rows; a pair counts for both its items, an item with itself once."""
        found = np.bincount(self.first, weights=values, minlength=self.n)
        if self.second is None:
            return found
        other = np.where(self.first == self.second, 0.0, values)
        return found + np.bincount(self.second, weights=other, minlength=self.n)

    def count(self, rows: Rows) -> int:
        """Count the units that have any of the rows marked 1."""
        return int((self.sums(rows) > 0).sum())

    def alike(self, rows: Rows) -> float:
        """Return the design effect of the rows marked 1 if all of one unit were alike.

        sum m^2 / n for m rows a unit: 1 where every unit has one row. In pairwise data a row is in
        two units' squares, of which one is itself.
        """
        squares = np.square(self.sums(rows)).sum() / max(rows.sum(), 1.0)
        return float(squares if self.second is None else max(squares - 1, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """The units of several parts.

    ``together`` groups the parts that share units, directly or through another part; ``n_shared``
    counts the units that are in every part.
    """

    parts: tuple[RowUnits, ...]
    together: tuple[tuple[int, ...], ...]
    n: int
    n_shared: int
    design: Design

    @property
    def pairwise(self) -> bool:
        """Whether any part's rows are pairs of items."""
        return any(part.second is not None for part in self.parts)

    def covariance(
        self, of: Sequence[int], influences: Sequence[Float[np.ndarray, " _"]]
    ) -> Float[np.ndarray, "estimate estimate"]:
        """Return the covariances of estimates, each of a part, from what each row moves it by.

        sum over units of the product of their summed influences (Huber's sandwich). Pairs of items
        depend on each other where they share one: the sum over items counts each pair with itself
        twice, and once is taken off (Aronow, Samii and Assenova 2015). What sharing adds is kept
        where it is positive; less than independent pairs would vary is taken for noise.
        """
        by_unit = np.stack(
            [self.parts[one].sums(rows) for one, rows in zip(of, influences, strict=True)]
        )
        over_units = by_unit @ by_unit.T
        if not self.pairwise:
            return over_units
        of_pairs = self._of_pairs(of, influences)
        added, axes = np.linalg.eigh(over_units - 2 * of_pairs)
        return of_pairs + (axes * np.maximum(added, 0)) @ axes.T

    def _of_pairs(self, of: Sequence[int], influences: Sequence[Rows]) -> np.ndarray:
        """Return the covariances were rows of different pairs of items independent."""
        codes, values = [], []
        for one, rows in zip(of, influences, strict=True):
            units = self.parts[one]
            second = units.first if units.second is None else units.second
            apart = units.first != second
            low, high = np.minimum(units.first, second), np.maximum(units.first, second)
            codes.append((low * self.n + high)[apart])
            values.append(rows[apart])
        found, number = np.unique(np.concatenate(codes), return_inverse=True)
        parts = np.split(number, np.cumsum([len(code) for code in codes])[:-1])
        by_pair = np.stack(
            [
                np.bincount(part, weights=rows, minlength=len(found))
                for part, rows in zip(parts, values, strict=True)
            ]
        )
        return by_pair @ by_pair.T


def shared_units(parts: Sequence[Scores]) -> Shared:
    """Number the units of all parts, and find which parts share any."""
    columns = [part.unit for part in parts] + [
        part.other for part in parts if part.other is not None
    ]
    names, number = np.unique(np.concatenate(columns), return_inverse=True)
    pieces = iter(np.split(number, np.cumsum([len(column) for column in columns])[:-1]))
    first = [next(pieces) for _ in parts]
    second = [None if part.other is None else next(pieces) for part in parts]
    numbered = tuple(RowUnits(*one, len(names)) for one in zip(first, second, strict=True))
    present = np.stack([one.sums(np.ones(len(one.first))) > 0 for one in numbered])
    together = _together(present)
    n_shared = int(present.all(axis=0).sum())
    if len(parts) == 1:
        design: Design = "single"
    elif n_shared == len(names):
        design = "paired"
    else:
        design = "unpaired" if len(together) == len(parts) else "partly paired"
    return Shared(numbered, together, len(names), n_shared, design)


def _together(present: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Group parts that share a unit."""
    groups: list[tuple[set[int], np.ndarray]] = []
    for part, units in enumerate(present):
        joined, rest = ({part}, units), []
        for members, theirs in groups:
            if (theirs & units).any():
                joined = (joined[0] | members, joined[1] | theirs)
            else:
                rest.append((members, theirs))
        groups = [*rest, joined]
    return tuple(sorted(tuple(sorted(members)) for members, _ in groups))
