"""How likely an outcome is, given by how much one utility exceeds the other.

Each model gives the loss ``-log p(outcome | d)`` of comparisons at differences ``d`` with its first
and second derivative by d. All are convex, and none changes if the items are named the other way
round (d and the outcome mirrored).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log, pi
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from sonde.core.errors import SondeError

Terms: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]  # loss, slope, curvature
ModelName: TypeAlias = Literal["bradley_terry", "thurstone", "ordinal"]
MOST_LEVELS = 11


@runtime_checkable
class Likelihood(Protocol):
    """A model with the outcomes it was made for."""

    def terms(self, d: Float[np.ndarray, " comparison"]) -> Terms:
        """Return each comparison's loss, slope and curvature."""
        ...

    def refitted(self, d: np.ndarray, weight: np.ndarray) -> "Likelihood":
        """Return the model with its own parameters, if it has any, fitted at these differences."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class BradleyTerryModel:
    """p(first wins) = 1 / (1 + exp(-d)); an outcome o between 0 and 1 counts o of a win."""

    outcome: Float[np.ndarray, " comparison"]

    def terms(self, d: Float[np.ndarray, " comparison"]) -> Terms:
        """Return log(1 + exp(d)) - o d and its derivatives."""
        from scipy.special import expit

        chance = expit(d)
        return np.logaddexp(0, d) - self.outcome * d, chance - self.outcome, chance * (1 - chance)

    def refitted(self, d: np.ndarray, weight: np.ndarray) -> "BradleyTerryModel":
        """Return itself."""
        return self


@dataclass(frozen=True, slots=True, eq=False)
class ThurstoneModel:
    """p(first wins) = Phi(d), case V of Thurstone (1927): the noise of a comparison has sd 1."""

    outcome: Float[np.ndarray, " comparison"]

    def terms(self, d: Float[np.ndarray, " comparison"]) -> Terms:
        """Return -o log Phi(d) - (1 - o) log Phi(-d) and its derivatives."""
        from scipy.special import log_ndtr

        o = self.outcome
        won, lost = log_ndtr(d), log_ndtr(-d)
        density = -(d**2) / 2 - log(2 * pi) / 2
        mills, mirrored = np.exp(density - won), np.exp(density - lost)
        curvature = o * mills * (d + mills) + (1 - o) * mirrored * (mirrored - d)
        return -o * won - (1 - o) * lost, (1 - o) * mirrored - o * mills, curvature

    def refitted(self, d: np.ndarray, weight: np.ndarray) -> "ThurstoneModel":
        """Return itself."""
        return self


@dataclass(frozen=True, slots=True, eq=False)
class OrdinalModel:
    """Ordered answers by a cumulative logit: p(level >= k) = 1 / (1 + exp(thresholds[k] - d)).

    The thresholds mirror each other about 0, so that no side is favoured; with three levels this
    is Rao and Kupper's model of ties (1967). ``level`` counts from 0, the second item much better.
    """

    level: Int[np.ndarray, " comparison"]
    thresholds: Float[np.ndarray, " threshold"]  # inner ones, rising

    def terms(self, d: Float[np.ndarray, " comparison"]) -> Terms:
        """Return -log(s - t) and its derivatives s + t - 1 and s (1 - s) + t (1 - t).

        s and t are the chances of at least this level and of more than it.
        """
        from scipy.special import expit

        bounds = np.concatenate([[-np.inf], self.thresholds, [np.inf]])
        low, high = bounds[self.level], bounds[self.level + 1]
        s, t = expit(d - low), expit(d - high)
        # s - t without cancellation: s (1 - t) (1 - exp(low - high)).
        gap = -np.expm1(np.where(np.isinf(low) | np.isinf(high), -np.inf, low - high))
        loss = -(_log_expit(d - low) + _log_expit(high - d) + np.log(gap))
        return loss, s + t - 1, s * (1 - s) + t * (1 - t)

    def refitted(self, d: np.ndarray, weight: np.ndarray) -> "OrdinalModel":
        """Return the model with the thresholds that are likeliest at these differences."""
        from scipy.optimize import minimize

        n = len(self.thresholds)
        if n < 2:
            return self

        def loss(steps: np.ndarray) -> float:
            trial = replace(self, thresholds=_mirrored(np.exp(steps), n))
            return float((weight * trial.terms(d)[0]).sum())

        upper = self.thresholds[self.thresholds > 0]
        start = np.log(np.diff(np.concatenate([[0.0], upper])))
        found = minimize(loss, start, method="BFGS", options={"gtol": 1e-7 * weight.sum()})
        return replace(self, thresholds=_mirrored(np.exp(found.x), n))


def _log_expit(x: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0, -x)


def _mirrored(steps: np.ndarray, n: int) -> Float[np.ndarray, " threshold"]:
    upper = np.cumsum(steps)
    return np.concatenate([-upper[::-1], [0.0] * (n % 2), upper])


def _ordinal(outcome: Float[np.ndarray, " comparison"]) -> OrdinalModel:
    levels = np.unique(np.round(np.concatenate([outcome, 1 - outcome]), 9))
    if not 2 <= len(levels) <= MOST_LEVELS:
        raise SondeError(
            f"The outcomes have {len(levels)} levels; an ordinal model takes 2 to {MOST_LEVELS}.",
            fix="Give graded answers such as 1, 0.75, 0.5, 0.25 and 0, or choose bradley_terry, "
            "which takes any outcome from 0 to 1.",
        )
    n = len(levels) - 1
    start = _mirrored(np.full(n // 2, 0.5), n)
    return OrdinalModel(np.searchsorted(levels, np.round(outcome, 9)), start)


MODELS: dict[ModelName, Callable[[np.ndarray], Likelihood]] = {
    "bradley_terry": BradleyTerryModel,
    "thurstone": ThurstoneModel,
    "ordinal": _ordinal,
}
