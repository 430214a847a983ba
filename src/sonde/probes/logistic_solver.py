"""Logistic regression of two classes over layers and penalties at once."""

from sonde.probes.likelihood import TwoClasses
from sonde.probes.likelihood_solver import LikelihoodSolver, RowWeights, unweighted
from sonde.probes.problem import Problem


def logistic_solver(problem: Problem, weights: RowWeights = unweighted) -> LikelihoodSolver:
    """Prepare logistic fits of labels 0 and 1: one output, the log-odds of a 1.

    Minimises ``sum weight log-loss + penalty / 2 |w|^2``, z standardised, b free.
    """
    return LikelihoodSolver.of(problem, TwoClasses, weights)
