"""Whether texts stay within the limit of a search: judged coherence, or perplexity."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from sonde.steering.answers import Answers
from sonde.steering.perplexity import perplexity_ratio
from sonde.steering.settings import JudgedCoherence, Limit


def within(
    answers: Answers, limit: Limit, questions: Bool[np.ndarray, " question"], unsteered: int = 0
) -> Bool[np.ndarray, " arm"]:
    """Say of each arm whether its texts stay within the limit on some of the questions.

    Judged: their mean coherence, in which an answer without a score counts as incoherent, reaches
    the limit. Perplexity: that of all their tokens is at most so many times that of the arm
    ``unsteered`` on the same questions.
    """
    if isinstance(limit, JudgedCoherence):
        scores = np.nan_to_num(answers.coherence[:, questions], nan=0.0)
        return scores.mean(axis=1) >= limit.at_least
    total, count = answers.log_likelihood[:, questions], answers.n_tokens[:, questions]
    baseline = total[unsteered], count[unsteered]
    return perplexity_ratio(total, count, baseline) <= limit.times


def unbroken(
    fit: Bool[np.ndarray, " arm"], curves: Sequence[Sequence[int]]
) -> Bool[np.ndarray, " arm"]:
    """Keep of each curve, its arms weakest first, what lies before the first that is not fit.

    An arm beyond one that broke the text does not count, however likely its texts are: a text that
    repeats one word is likely by any measure of surprise (docs/decisions/0016).
    """
    found = fit.copy()
    for curve in curves:
        arms = list(curve)
        found[arms] = np.logical_and.accumulate(found[arms])
    return found


def in_words(limit: Limit) -> str:
    """Return the limit as a table's caption says it."""
    if isinstance(limit, JudgedCoherence):
        return f"judged coherence of at least {limit.at_least:g} of 100"
    return f"perplexity of at most {limit.times:g} times the unsteered texts'"
