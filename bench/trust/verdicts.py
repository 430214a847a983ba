"""Claims judged by the rule of the experiment file."""

from math import inf

from bench.trust.scenarios import Kind
from sonde.experiments.claims.judging import verdict_of
from sonde.stats import Effect


def confirmed(effect: Effect, kind: Kind, boundary: float) -> bool:
    """Whether a claim about the effect is confirmed whose boundary lies there."""
    lower, upper = (-abs(boundary), abs(boundary)) if kind == "equivalence" else (boundary, inf)
    return verdict_of(effect.interval, lower, upper) == "confirmed"
