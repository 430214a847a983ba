"""Linear discriminant analysis of two classes."""

from sonde.probes.discriminant import Discriminant
from sonde.probes.problem import Problem
from sonde.probes.ridge_solver import smaller_side
from sonde.probes.shrinkage import Shrinkage


def lda_solver(problem: Problem, *, shrinkage: Shrinkage = "ledoit_wolf") -> Discriminant:
    """Prepare LDA: log-odds of two normal classes with one covariance.

    ``(z - m) . w + log(p1 / p0)``, w = covariance^-1 (mean of class 1 - mean of class 0), m midway
    between the means. The covariance is the pooled one of standardised rows, shrunk to
    ``(1 - s) S + s tr(S) / d I``: a number s is scikit-learn's ``LinearDiscriminantAnalysis(
    solver="lsqr", shrinkage=s)`` behind a ``StandardScaler``; ``ledoit_wolf`` finds s for the
    pooled covariance, where scikit-learn's ``auto`` finds one for each class.
    """
    return Discriminant(smaller_side(problem), shrinkage, priors=True)
