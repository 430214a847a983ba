"""Logistic regression of several classes over layers and penalties at once."""

from functools import partial

from jaxtyping import Float
from torch import Tensor

from sonde.probes.likelihood import Classes
from sonde.probes.likelihood_solver import LikelihoodSolver, RowWeights, unweighted
from sonde.probes.problem import Problem


def multinomial_solver(
    problem: Problem, n_classes: int, weights: RowWeights = unweighted
) -> LikelihoodSolver:
    """Prepare multinomial fits of class numbers: one output a class, whose softmax are the chances.

    Minimises ``sum weight log-loss + penalty / 2 sum_k |w_k|^2``, z standardised, b free, which is
    scikit-learn's ``LogisticRegression(C=1 / penalty)`` of three classes or more. Of two classes it
    is ``logistic_solver`` at half the penalty: each class has half of the difference's weight. The
    intercepts, which only differ up to a number that all share, have mean 0.
    """
    return LikelihoodSolver.of(problem, partial(_classes, n_classes), weights)


def _classes(
    n_classes: int, y: Float[Tensor, "column row"], weight: Float[Tensor, "column row"]
) -> Classes:
    return Classes.of(y, n_classes, weight)
