"""The best coefficient under the limit: chosen by some questions, scored on the others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sonde.core.errors import SondeError
from sonde.stats.choice import choose
from sonde.stats.folds import grouped_folds
from sonde.steering.answers import Answers
from sonde.steering.limits import unbroken, within
from sonde.steering.settings import Limit

MISSING = 0.2  # share of the choosing questions that may lack a score


@dataclass(frozen=True, slots=True, eq=False)
class ChosenArm:
    """What each fold's other questions choose, and the trait score it has on the fold's own.

    ``chosen`` is the arm of each fold and ``overall`` what all questions choose, the one to use
    from now on; both are the unsteered arm where no candidate stays within the limit. ``trait`` is
    NaN where the judge had no score. ``flattered``, the overall choice's mean on the questions that
    chose it, is too high to be quoted.
    """

    chosen: Int[np.ndarray, " fold"]
    folds: Int[np.ndarray, " question"]
    overall: int
    trait: Float[np.ndarray, " question"]
    flattered: float

    @property
    def by_question(self) -> Int[np.ndarray, " question"]:
        """The arm that each question is scored on."""
        return self.chosen[self.folds]

    @property
    def agreed(self) -> bool:
        """Whether every fold chose the same arm."""
        return bool((self.chosen == self.chosen[0]).all())


def question_folds(units: Sequence[str], n_folds: int, seed: int) -> Int[np.ndarray, " question"]:
    """Deal questions into folds by their unit; with fewer units than folds, one fold each.

    Raises:
        SondeError: there are fewer than two units.
    """
    distinct = len(set(units))
    if distinct < 2:
        raise SondeError(
            f"There are {len(units)} questions of {distinct} group: a coefficient that one chooses "
            "cannot be scored on another.",
            fix="Give at least two questions; twenty are a good number.",
        )
    return grouped_folds(np.array(units), min(n_folds, distinct), seed=seed)


def best_under_limit(
    answers: Answers,
    curves: Sequence[Sequence[int]],
    limit: Limit,
    folds: Int[np.ndarray, " question"],
    sign: float = 1.0,
) -> ChosenArm:
    """Choose among arms by their mean trait score, under the limit, fold by fold.

    For each fold, the arms that stay within the limit on the other folds' questions, as all weaker
    ones of their curve do, compete by their mean on those; the winner is scored on the fold's own
    questions. Arms of which the judge left more than ``MISSING`` of the others without a score do
    not compete.

    Args:
        answers: of all arms; arm 0 is the unsteered one.
        curves: the candidates, those of each vector weakest first.
        limit: what coherence is.
        folds: ``[question]``, from 0.
        sign: 1 where more of the trait is better, -1 where less is.
    """
    every = np.ones(len(folds), bool)
    chosen = [_best(answers, curves, limit, folds, folds != one, sign) for one in np.unique(folds)]
    overall = _best(answers, curves, limit, folds, every, sign)
    by_question = np.array(chosen)[folds]
    return ChosenArm(
        chosen=np.array(chosen),
        folds=folds,
        overall=overall,
        trait=answers.trait[by_question, np.arange(len(folds))],
        flattered=_mean(answers.trait[overall]),
    )


def _best(
    answers: Answers,
    curves: Sequence[Sequence[int]],
    limit: Limit,
    folds: Int[np.ndarray, " question"],
    by: Bool[np.ndarray, " question"],
    sign: float,
) -> int:
    """Return the arm that some questions choose, or the unsteered one."""
    fit, trait = unbroken(within(answers, limit, by), curves), answers.trait
    scored = np.isnan(trait[:, by]).mean(axis=1) <= MISSING
    able = [arm for curve in curves for arm in curve if fit[arm] and scored[arm]]
    if not able:
        return 0
    known = trait[able]
    means = np.array([_mean(row) for row in known[:, by]])
    filled = np.where(np.isnan(known), means[:, None], known)  # which moves no mean
    return able[int(_chosen_by(sign * filled, folds, by))]


def _mean(row: Float[np.ndarray, " question"]) -> float:
    known = row[~np.isnan(row)]
    return float(known.mean()) if len(known) else float("nan")


def _chosen_by(
    scores: Float[np.ndarray, "candidate question"],
    folds: Int[np.ndarray, " question"],
    by: Bool[np.ndarray, " question"],
) -> int:
    """Return the candidate that ``stats.choose`` takes by these questions."""
    if bool(by.all()):
        return choose(np.nan_to_num(scores), folds).overall
    held = int(folds[np.flatnonzero(~by)[0]])
    return int(choose(np.where(by, scores, 0.0), folds).chosen[held])
