"""Coefficients on a lattice: a geometric grid that widens, then bisection of what it brackets.

Points are numbered from a coefficient of 1, not from where a search starts, so searches that start
elsewhere meet the same coefficients, and end at the same one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log

from sonde.core.errors import SondeError


@dataclass(frozen=True, slots=True)
class Lattice:
    """Point ``i`` is ``ratio ** (i / fine)``: ``fine`` steps of the finest grid are a coarse one.

    ``fine`` is a power of two, so that every bisection of a coarse step ends at a whole point.
    """

    ratio: float = 2.0
    fine: int = 8

    def coefficient(self, point: int) -> float:
        """Return the coefficient of a point, in units of the typical norm."""
        return float(self.ratio ** (point / self.fine))

    def point(self, coefficient: float) -> int:
        """Return the point whose coefficient this is."""
        return round(self.fine * log(coefficient) / log(self.ratio))

    def nearest(self, coefficient: float) -> int:
        """Return the coarse point nearest to a coefficient, by its logarithm.

        Raises:
            SondeError: it is not above 0.
        """
        if not 0 < coefficient < float("inf"):
            raise SondeError(
                f"A search cannot start at a coefficient of {coefficient:g}.",
                fix="Give one above 0, such as 1: one typical norm.",
            )
        return self.fine * round(log(coefficient) / log(self.ratio))

    def start(self, base: float, below: int = 2, above: int = 1) -> list[int]:
        """Return the coarse points that a search from ``base`` begins with."""
        first = self.nearest(base)
        return [first + self.fine * step for step in range(-below, above + 1)]

    def next_points(self, said: Mapping[int, bool], reach: "Reach") -> list[int]:
        """Return the points to try next, by which points so far are coherent; none: it is done.

        Without a coherent point below the first incoherent one the grid widens downwards, without
        an incoherent one upwards, two coarse steps at a time; then the bracket is halved.
        """
        bracket = self.bracket(said)
        low, high = bracket.coherent, bracket.incoherent
        if high is None:
            return reach.inside(max(said) + self.fine * step for step in (1, 2))
        if low is None:
            return reach.inside(min(said) - self.fine * step for step in (1, 2))
        return [(low + high) // 2] if high - low > reach.width else []

    @staticmethod
    def bracket(said: Mapping[int, bool]) -> "Bracket":
        """Return the first incoherent point and the last coherent one below it.

        A point that is coherent above an incoherent one does not count: a text that repeats one
        word is likely by any measure of surprise, and is not coherent.
        """
        incoherent = min((point for point, fine in said.items() if not fine), default=None)
        below = (
            point
            for point, fine in said.items()
            if fine and (incoherent is None or point < incoherent)
        )
        return Bracket(max(below, default=None), incoherent)


@dataclass(frozen=True, slots=True)
class Reach:
    """The outermost points that are tried, and how narrow a bracket is narrow enough."""

    lowest: int
    highest: int
    width: int = 1

    def inside(self, points: Iterable[int]) -> list[int]:
        """Keep the points that may be tried."""
        return [point for point in points if self.lowest <= point <= self.highest]


@dataclass(frozen=True, slots=True)
class Bracket:
    """The last coherent point and the first incoherent one; None where there is no such point."""

    coherent: int | None
    incoherent: int | None
