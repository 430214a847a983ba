"""A number with its uncertainty."""

from dataclasses import dataclass

from sonde.core.words import true_minus


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with a confidence interval over ``n`` independent units.

    ``level`` is the nominal coverage. ``n`` counts the independent units (groups where the data
    has groups, items where its rows are pairs of items), not rows.
    """

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95

    def __str__(self) -> str:
        return true_minus(f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]")
