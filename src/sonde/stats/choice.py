"""Nested choice: a candidate chosen by some units is scored on others.

The best of several candidates flatters itself on the units that chose it. Here every unit is
scored by the candidate that the other folds chose, so the mean over units is the score of the
procedure "choose, then use".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int

from sonde.core.errors import SondeError

TIE = 1e-9  # means this close are equal: a choice must not hang on rounding

# From a candidate, the units to fit on and the units to score, to the scores of the latter.
Fit: TypeAlias = Callable[
    [int, Bool[np.ndarray, " unit"], Bool[np.ndarray, " unit"]], Float[np.ndarray, " scored"]
]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What was chosen without each fold, and how it does there.

    ``scores`` are comparable with a baseline's of the same units, in pairs. ``overall`` is the
    candidate that all units choose, the one to use from now on; ``flattered``, its mean over the
    units that chose it, is too high to be quoted.
    """

    chosen: Int[np.ndarray, " fold"]
    scores: Float[np.ndarray, " unit"]
    folds: Int[np.ndarray, " unit"]
    overall: int
    flattered: float

    @property
    def agreed(self) -> bool:
        """Whether every fold chose the same candidate."""
        return bool((self.chosen == self.chosen[0]).all())


def choose(scores: Float[np.ndarray, "candidate unit"], folds: Int[np.ndarray, " unit"]) -> Choice:
    """Choose among candidates that need no fitting, such as steering coefficients.

    For each fold take the candidate with the highest mean over the units of the other folds; equal
    means go to the earlier one. A candidate without a score (NaN) on some unit of the others is not
    chosen.

    Args:
        scores: ``[candidate, unit]``, higher is better.
        folds: ``[unit]``, from 0; units of one group share a fold (``grouped_folds``).

    Raises:
        SondeError: the shapes disagree, there is one fold only, or a fold can choose none.
    """
    given, fold = np.asarray(scores, np.float64), np.asarray(folds)
    if given.ndim != 2 or not given.size:
        raise SondeError(
            f"A choice was asked of scores of shape {list(given.shape)}.",
            fix="Give one row a candidate and one column a unit.",
        )
    n_folds = _n_folds(fold, given.shape[1])
    chosen = np.array([_best(given[:, fold != one], one) for one in range(n_folds)])
    overall = _best(given, None)
    own = given[chosen[fold], np.arange(given.shape[1])]
    return Choice(chosen, own, fold, overall, float(given[overall].mean()))


def choose_fitted(fit: Fit, n_candidates: int, folds: Int[np.ndarray, " unit"]) -> Choice:
    """Choose among candidates that are fitted, such as layers or penalties.

    For each outer fold, every candidate is fitted without two folds and scored on one of them in
    turn (the inner folds are the other outer ones); the best on average is fitted on all units but
    the outer fold and scored on it. A fit without folds j and k serves both j and k.

    Args:
        fit: ``fit(candidate, train, test)`` returns the scores of the ``test`` units, in their
            order, by a fit on the ``train`` units; both are masks.
        n_candidates: how many there are.
        folds: ``[unit]``, from 0, at least three.

    Raises:
        SondeError: there are fewer than three folds, or a fold can choose none.
    """
    fold = np.asarray(folds)
    n_folds = _n_folds(fold, len(fold))
    if n_folds < 3:
        raise SondeError(
            f"{n_folds} folds leave no inner folds to choose by.", fix="Give at least three."
        )
    inner = np.full((n_candidates, n_folds, len(fold)), np.nan)  # [.., without this fold, unit]
    outer = np.full((n_candidates, len(fold)), np.nan)
    for candidate in range(n_candidates):
        for one in range(n_folds):
            here = fold == one
            outer[candidate, here] = fit(candidate, ~here, here)
            for other in range(one):
                both = here | (fold == other)
                said = np.asarray(fit(candidate, ~both, both), np.float64)
                inner[candidate, one, fold == other] = said[fold[both] == other]
                inner[candidate, other, here] = said[fold[both] == one]
    chosen = np.array([_best(inner[:, one][:, fold != one], one) for one in range(n_folds)])
    overall = _best(outer, None)
    own = outer[chosen[fold], np.arange(len(fold))]
    return Choice(chosen, own, fold, overall, float(outer[overall].mean()))


def _best(scores: Float[np.ndarray, "candidate unit"], fold: int | None) -> int:
    means = scores.mean(axis=1)
    if np.isnan(means).all():
        where = "all units" if fold is None else f"the units outside fold {fold}"
        raise SondeError(
            f"No candidate has a score on each of {where}.",
            fix="Leave out units that some candidate could not be scored on.",
        )
    known = np.where(np.isnan(means), -np.inf, means)
    return int((known >= known.max() - TIE).argmax())


def _n_folds(folds: np.ndarray, n_units: int) -> int:
    seen = np.unique(folds)
    if folds.shape != (n_units,) or len(seen) < 2 or not np.array_equal(seen, range(len(seen))):
        raise SondeError(
            f"The folds, of shape {list(folds.shape)} with the values {seen[:6].tolist()}, do not "
            f"divide {n_units} units.",
            fix="Give each unit a fold from 0 upwards, two folds at least, as grouped_folds does.",
        )
    return len(seen)
