"""Confidence limits at any level, and the ways in which they are made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isinf, isnan
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from sonde.stats.score_limits import ScoreLimits

TAIL = 10  # pivots beyond a quantile for it to be taken from the pivots alone
FARTHEST = 37.0  # normal scores: p down to 1e-299
LARGEST = 1e70  # of a Student t quantile: few degrees of freedom overflow, squares must not
STEPS = 100  # of the search for a combination's limit; a few are enough
NEAR = 1e-2  # one less the cosine of two pulls that lead to the same limit


@runtime_checkable
class Limits(Protocol):
    """Limits as a rising function of a normal score.

    ``at(z)`` is the upper limit whose one-sided confidence is Phi(z), and so the lower one of
    1 - Phi(z): the ends of a 95 % interval are ``at(-1.96)`` and ``at(1.96)``.
    """

    def at(self, z: float) -> float:
        """Return the limit at the normal score ``z``."""
        ...


def t_score(z: float, df: float) -> float:
    """Return the Student t quantile that has the normal score's probability."""
    if isinf(df) or z == 0:
        return z
    from scipy.special import ndtr, stdtrit

    quantile = min(abs(float(stdtrit(df, ndtr(-abs(z))))), LARGEST)
    return float(np.copysign(quantile, z))


@dataclass(frozen=True, slots=True)
class Fixed:
    """The value itself, as far as units that are all alike can show; NaN where it is undefined.

    Without spread nothing says how far the next unit may lie. What is left is the sign test: that
    all of n units lie on one side of a boundary has probability 2^-n at most where their median
    does not, so there is no limit beyond that confidence. At 95 % it takes six units.
    """

    value: float
    units: int

    def at(self, z: float) -> float:
        """Return the value, or infinity where so many units cannot have that confidence."""
        from scipy.special import ndtr

        if isnan(self.value) or float(ndtr(-abs(z))) >= 0.5**self.units:
            return self.value
        return float(np.copysign(np.inf, z))


@dataclass(frozen=True, slots=True)
class Moved:
    """Limits moved by a constant."""

    limits: Limits
    constant: float

    def at(self, z: float) -> float:
        """Return the limit at the normal score ``z``."""
        return self.limits.at(z) + self.constant


@dataclass(frozen=True, slots=True, eq=False)
class Studentised:
    """value - standard_error * quantile of pivots, on a scale from which ``inverse`` leads back.

    ``pivots`` are (value* - value) / standard_error* of resamples, sorted: the bootstrap-t of
    Efron (1979; Hall 1992, section 3.2). With fewer than 20 the quantiles are Student's, and so
    they go on beyond the last TAIL pivots of either side, where those have nothing to say.
    """

    value: float
    standard_error: float
    pivots: Float[np.ndarray, " resample"]
    df: float
    inverse: Callable[[float], float]

    def at(self, z: float) -> float:
        """Return the limit at the normal score ``z``."""
        with np.errstate(over="ignore"):  # R2 has no floor
            return float(self.inverse(self.value - self.standard_error * self._quantile(-z)))

    def _quantile(self, z: float) -> float:
        from scipy.special import ndtr, ndtri

        count = len(self.pivots)
        if count < 2 * TAIL:
            return t_score(z, self.df)
        last = -float(ndtri(TAIL / (count + 1)))  # the normal score where the pivots end
        inside = min(max(z, -last), last)
        place = float(ndtr(-abs(inside))) * (count + 1) - 1
        ordered = self.pivots if inside < 0 else self.pivots[::-1]
        found = float(np.interp(place, np.arange(count), ordered))
        if inside == z:
            return found
        reference = t_score(inside, self.df)
        steeper = max(1.0, found / reference)  # as much wider than Student's as they were there
        return found + steeper * (t_score(z, self.df) - reference)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The sum of weight * estimate, for correlated estimates that have score limits.

    The limit at z is the farthest value that the sum takes when every estimate j moves to its own
    limit at s_j, for scores s with s' correlation^-1 s = z^2: the image of a confidence ellipsoid
    of radius z. For independent estimates that is close to the square-and-add method (Newcombe
    1998, method 10; Zou and Donner 2008), for one estimate it is its own limit. Estimates that
    rise and fall together cancel, also where their limits are lopsided.
    """

    parts: tuple[ScoreLimits, ...]
    weights: Float[np.ndarray, " estimate"]
    correlation: Float[np.ndarray, "estimate estimate"]
    df: float

    def at(self, z: float) -> float:
        """Return the limit at the normal score ``z``."""
        radius = t_score(z, self.df)
        if len(self.parts) == 1:
            sign = float(np.sign(self.weights[0]))
            return float(self.weights[0]) * self.parts[0].at(sign * radius)
        signs = np.sign(self.weights)
        towards, alone = signs * radius, np.diag(signs)
        reach = np.abs(self._moved(towards) - self._moved(0 * towards))  # square-and-add's
        # Limits of shares near 0 or 1 curve outwards, so that the ellipsoid has several farthest
        # points; beside the usual one they lie near where a single share is pulled, or moves
        # while the others stay.
        starts = signs * reach, *alone, *(alone @ np.linalg.pinv(self.correlation, hermitian=True))
        tops: list[np.ndarray] = []
        for pull in starts:
            top = self._climbed(self._unit(pull), radius, tops)
            if top is not None:
                tops.append(top)
        found = [self._sum(top, radius) for top in tops]
        return max(found) if radius > 0 else min(found)

    def _climbed(
        self, pull: np.ndarray, radius: float, tops: Sequence[np.ndarray]
    ) -> np.ndarray | None:
        """Climb from where the estimates pull by ``pull`` to where the slopes pull likewise.

        None where that leads to one of ``tops``, which others have climbed.
        """
        found = self._sum(pull, radius)
        for _ in range(STEPS):
            scores = radius * self.correlation @ pull
            if any(top @ self.correlation @ pull > 1 - NEAR for top in tops):
                return None
            slopes = [part.slope(float(z)) for part, z in zip(self.parts, scores, strict=True)]
            aim, share = self._unit(self.weights * slopes), 1.0
            while share > 1e-4:  # all the way is right where the limits are nearly straight
                there = self._unit(pull + share * (aim - pull))
                gain = (self._sum(there, radius) - found) * np.sign(radius)
                if gain > 0:
                    break
                share /= 4
            else:
                break
            found, pull = found + gain * np.sign(radius), there
            if gain < 1e-12:
                break
        return pull

    def _sum(self, pull: np.ndarray, radius: float) -> float:
        """Return the sum of the estimates at the point of the ellipsoid farthest along ``pull``."""
        return float(self._moved(radius * self.correlation @ self._unit(pull)).sum())

    def _moved(self, scores: np.ndarray) -> np.ndarray:
        at = [part.at(float(score)) for part, score in zip(self.parts, scores, strict=True)]
        return self.weights * at

    def _unit(self, pull: np.ndarray) -> np.ndarray:
        length = float(pull @ self.correlation @ pull)
        return pull / np.sqrt(length) if length > 0 else 0 * pull


def normal_score(limits: Limits, boundary: float, *, from_above: bool) -> float:
    """Return the z at which the limit reaches the boundary, within +-FARTHEST.

    Where the limit stays on the boundary for a while, the last such z, or the first
    (``from_above``): each is the cautious end for one of the two one-sided tests.
    """
    from scipy.optimize import brentq

    if isnan(limits.at(0.0)):
        return float("nan")
    level = 1e-300 if from_above else -1e-300  # which side a limit on the boundary counts to

    def apart(z: float) -> float:
        return float(np.clip(limits.at(z) - boundary, -1e300, 1e300)) or level

    # The bracket doubles away from 0, where most answers lie.
    outward = -1.0 if apart(0.0) > 0 else 1.0
    near, far = 0.0, outward
    while apart(far) * outward < 0:
        if abs(far) == FARTHEST:
            return far
        near, far = far, outward * min(2 * abs(far), FARTHEST)
    root: Any = brentq(apart, near, far, xtol=1e-12)
    return float(root)
