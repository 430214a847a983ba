"""Limits of an estimate whose variance depends on the truth: the score method.

A limit is the truth at which the estimate would lie z standard errors away, the standard error
being the one at that truth and not at the estimate (Wilson 1927). So limits stay inside the range,
are asymmetrical near its ends, and exist where the estimate itself has no spread: 30 of 30 right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import copysign, sqrt

STEPS = 60  # a few are enough


@dataclass(frozen=True, slots=True)
class ScoreLimits:
    """Limits in [0, 1] around ``value``: the theta with theta = value + z spread(theta).

    The spread is ``stretch`` sqrt(theta (1 - theta) / rows(theta)), the standard error were theta
    the truth. ``rows`` is how many independent rows a share of them would need to vary as little;
    of a share it is a constant.
    """

    value: float
    rows: Callable[[float], float]
    stretch: float = 1.0

    def at(self, z: float) -> float:
        """Return the limit ``z`` standard errors above the value (below, where ``z`` < 0)."""
        theta = self.value
        if z == 0 or theta == (1.0 if z > 0 else 0.0):
            return theta
        for _ in range(STEPS):
            before, theta = theta, self._wilson(z, self.rows(theta))
            if abs(theta - before) < 1e-14:
                break
        return theta

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
        return self.stretch * sqrt(theta * (1 - theta) / self.rows(theta))

    def _wilson(self, z: float, rows: float | int) -> float:
        """Solve (theta - value)^2 = a theta (1 - theta), a = (z stretch)^2 / rows."""
        a = (z * self.stretch) ** 2 / rows
        reach = sqrt(a * (self.value * (1 - self.value) + a / 4))
        return min(max((self.value + a / 2 + copysign(reach, z)) / (1 + a), 0.0), 1.0)
