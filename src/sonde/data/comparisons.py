"""Comparisons of items in pairs: which of two was preferred, and how clearly."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint

TIE = 0.5


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two items by their ids, and the outcome: 1 the first won, 0 the second did, 0.5 a tie.

    Values between say how clearly, such as 0.75 for "somewhat better", or a probability. ``weight``
    counts it so many times over. ``row`` says where it was read from, for error messages.
    """

    first: str
    second: str
    outcome: float
    weight: float = 1.0
    row: str = ""

    @property
    def where(self) -> str:
        """The file and row where known, else the two items."""
        return self.row or f"the comparison of {self.first!r} with {self.second!r}"

    @property
    def fault(self) -> str:
        """Say in a few words why this cannot be used; empty where it can."""
        if self.first == self.second:
            return "an item compared with itself"
        if not math.isfinite(self.outcome):
            return "an outcome that is not a number"
        if not 0 <= self.outcome <= 1:
            return "an outcome outside 0 to 1"
        if not (math.isfinite(self.weight) and self.weight > 0):
            return "a weight that is not above 0"
        return ""


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons(Sequence[Comparison]):
    """Comparisons as columns of equal length, in the order given; a pair may come up repeatedly."""

    first: np.ndarray  # str
    second: np.ndarray  # str
    outcome: Float[np.ndarray, " comparison"]
    weight: Float[np.ndarray, " comparison"]

    @classmethod
    def of(cls, comparisons: Iterable[Comparison]) -> "Comparisons":
        """Check comparisons and lay them out.

        Raises:
            SondeError: there is none, one compares an item with itself, or its outcome or weight is
                no such number; or all are ties, so that nothing tells the items apart.
        """
        if isinstance(comparisons, Comparisons):
            return comparisons
        given = list(comparisons)
        for number, one in enumerate(given):
            if one.fault:
                raise SondeError(
                    f"{one.row or f'comparisons[{number}]'}: {one.fault} ({one.first!r}, "
                    f"{one.second!r}, outcome {one.outcome:g}, weight {one.weight:g}).",
                    fix="Mend it or leave it out; an outcome is 1 where the first item won, 0 "
                    "where the second did, 0.5 for a tie.",
                )
        found = cls(
            first=np.array([one.first for one in given], str),
            second=np.array([one.second for one in given], str),
            outcome=np.array([one.outcome for one in given], np.float64),
            weight=np.array([one.weight for one in given], np.float64),
        )
        found.refuse_nothing()
        return found

    def refuse_nothing(self) -> None:
        """Check that something can be learnt.

        Raises:
            SondeError: there is no comparison, or all are ties.
        """
        if not len(self.first):
            raise SondeError("There are no comparisons.", fix="Give at least one.")
        if (self.outcome == TIE).all():
            raise SondeError(
                f"All {len(self.first)} comparisons are ties: nothing tells the items apart.",
                fix="Give comparisons that one of the items won.",
            )

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, which: int) -> Comparison:  # pyright: ignore[reportIncompatibleMethodOverride]
        return Comparison(
            str(self.first[which]),
            str(self.second[which]),
            float(self.outcome[which]),
            float(self.weight[which]),
        )

    def __iter__(self) -> Iterator[Comparison]:
        return (self[number] for number in range(len(self)))

    @property
    def items(self) -> np.ndarray:
        """The ids of all items, each once, sorted."""
        return np.unique(np.concatenate([self.first, self.second]))

    @property
    def ties(self) -> int:
        """How many are ties."""
        return int((self.outcome == TIE).sum())

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any item, outcome or weight."""
        columns = (self.first, self.second, self.outcome, self.weight)
        return fingerprint([column.tolist() for column in columns])

    def numbered(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each comparison's items as places among ids in any order, -1 where absent."""
        if not len(items):
            absent = np.full(len(self.first), -1)
            return absent, absent.copy()
        order = np.argsort(items)

        def number(ids: np.ndarray) -> np.ndarray:
            near = np.searchsorted(items, ids, sorter=order).clip(max=len(items) - 1)
            at = order[near]
            return np.where(items[at] == ids, at, -1)

        return number(self.first), number(self.second)

    def some(self, which: np.ndarray) -> "Comparisons":
        """Keep some, by a mask or numbers."""
        return Comparisons(
            self.first[which], self.second[which], self.outcome[which], self.weight[which]
        )
