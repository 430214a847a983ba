"""Where a vector's texts stop being coherent, and the coefficients that said so."""

from dataclasses import dataclass
from math import isnan


@dataclass(frozen=True, slots=True)
class ScreenPoint:
    """A coefficient that was screened.

    ``coefficient`` is in units of the typical norm. ``divergence`` is in nats a token;
    ``perplexity_ratio`` is over the unsteered texts', and NaN where the divergence alone was beyond
    its limit, so that no text was written.
    """

    coefficient: float
    divergence: float
    perplexity_ratio: float
    coherent: bool


@dataclass(frozen=True, slots=True)
class Cliff:
    """Where a vector's texts stop being coherent: between two coefficients, in units.

    ``coherent`` is None where not even the smallest one tried is, ``incoherent`` where the largest
    one tried still is. ``points`` are all that were tried, smallest first.
    """

    vector: str
    coherent: float | None
    incoherent: float | None
    points: tuple[ScreenPoint, ...]

    @property
    def diverged(self) -> float | None:
        """The smallest coefficient whose divergence was beyond its limit, without its sign."""
        beyond = (abs(one.coefficient) for one in self.points if isnan(one.perplexity_ratio))
        return min(beyond, default=None)
