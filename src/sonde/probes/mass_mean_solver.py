"""Mass mean: the difference of two classes' means through the inverse of their covariance."""

from sonde.probes.discriminant import Discriminant
from sonde.probes.problem import Problem
from sonde.probes.ridge_solver import smaller_side
from sonde.probes.shrinkage import Shrinkage


def mass_mean_solver(problem: Problem, *, shrinkage: Shrinkage = "ledoit_wolf") -> Discriminant:
    """Prepare mass means: weight = covariance^-1 (mean(x | 1) - mean(x | 0)), zero midway.

    The covariance is the pooled one within the classes, of standardised rows, shrunk towards a
    multiple of the identity; 0 leaves it as it is, which needs more rows than coordinates. Marks
    and Tegmark take a pseudo-inverse, which where coordinates are more forgets the part of the
    difference that no row's deviation reaches; shrinkage keeps it.

    Marks and Tegmark (2023), "The geometry of truth".
    """
    return Discriminant(smaller_side(problem), shrinkage, priors=False)
