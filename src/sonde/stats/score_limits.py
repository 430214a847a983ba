"""Limits of an estimate whose variance depends on the truth: the score method.

A limit is the truth at which the estimate would lie z standard errors away, the standard error
being the one at that truth and not at the estimate (Wilson 1927). So limits stay inside the range,
are asymmetrical near its ends, and exist where the estimate itself has no spread: 30 of 30 right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

STEPS = 54  # halvings of a range of 1, down to rounding


@dataclass(frozen=True, slots=True)
class ScoreLimits:
    """Limits in [0, 1] around ``value``: the theta with theta = value + z spread(theta).

    The spread is ``stretch`` sqrt(``variance``(theta)), the standard error were theta the truth;
    the variance is 0 at 0 and 1.
    """

    value: float
    variance: Callable[[float], float]
    stretch: float = 1.0

    def at(self, z: float) -> float:
        """Return the limit ``z`` standard errors above the value (below, where ``z`` < 0)."""
        if z == 0:
            return self.value
        inner, outer, reach = self.value, (1.0 if z > 0 else 0.0), abs(z) * self.stretch
        for _ in range(STEPS):
            middle = (inner + outer) / 2
            # Within z standard errors of the estimate, so the limit lies further out.
            if abs(middle - self.value) < reach * sqrt(self.variance(middle)):
                inner = middle
            else:
                outer = middle
        return (inner + outer) / 2

    def slope(self, z: float) -> float:
        """Return d ``at`` / d ``z``: spread / (1 - z spread'), both at the limit."""
        theta = self.at(z)
        step = 1e-4 * min(theta, 1 - theta)
        if step == 0:
            return 0.0
        steepness = (self._spread(theta + step) - self._spread(theta - step)) / (2 * step)
        below = 1 - z * steepness
        return self._spread(theta) / below if below > 0 else 0.0

    def _spread(self, theta: float) -> float:
        return self.stretch * sqrt(self.variance(theta))
