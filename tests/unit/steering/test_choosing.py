"""The best coefficient under the limit, chosen by some questions and scored on others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import floats
from tests.unit.steering.made_answers import made_answers

from sonde.core.errors import SondeError
from sonde.stats.choice import choose
from sonde.steering.choosing import best_under_limit, question_folds
from sonde.steering.settings import JudgedCoherence, PerplexityCap

FREE = PerplexityCap(times=1e6)
FOLDS = np.array([0, 0, 1, 1, 2, 2])


def test_by_hand():
    trait = [
        [10, 10, 10, 10, 10, 10],  # unsteered
        [50, 50, 50, 50, 50, 50],  # weak
        [90, 90, 60, 60, 20, 20],  # strong: 56.7 on average
    ]
    # Without fold 0 strong has (60+60+20+20)/4 = 40: weak is chosen, and scores 50 there. Without
    # fold 1 strong has 55, without fold 2 it has 75: it is chosen, and scores 60 and 20.
    choice = best_under_limit(made_answers(trait), [[1], [2]], FREE, FOLDS)
    assert choice.chosen.tolist() == [1, 2, 2]
    assert choice.trait.tolist() == [50, 50, 60, 60, 20, 20]
    assert choice.by_question.tolist() == [1, 1, 2, 2, 2, 2]
    assert choice.overall == 2 and not choice.agreed
    assert choice.flattered == pytest.approx(340 / 6)


def test_less_of_a_trait_is_better_where_less_is_wanted():
    trait = [[50] * 6, [30] * 6, [40] * 6]
    assert best_under_limit(made_answers(trait), [[1], [2]], FREE, FOLDS, sign=-1.0).overall == 1


def test_the_limit_is_kept_by_the_questions_that_choose():
    """Strong is coherent on folds 1 and 2 alone, so fold 0's others may choose it."""
    trait = [[10] * 6, [50] * 6, [90] * 6]
    coherence = [[95] * 6, [90] * 6, [0, 0, 80, 80, 80, 80]]
    answers = made_answers(trait, coherence)
    choice = best_under_limit(answers, [[1], [2]], JudgedCoherence(at_least=70), FOLDS)
    assert choice.chosen.tolist() == [2, 1, 1]
    assert choice.trait.tolist() == [90, 90, 50, 50, 50, 50]
    assert choice.overall == 1
    # An answer that nobody could judge counts as incoherent: (0 + 4 * 80) / 5 is 64.
    answers.coherence[2, :2] = [np.nan, 80]
    assert best_under_limit(answers, [[2]], JudgedCoherence(), FOLDS).overall == 0


def test_where_nothing_is_within_the_limit_the_unsteered_arm_is_left():
    answers = made_answers([[10] * 6, [90] * 6], surprise=[1.0, 1.0 + np.log(1.6)])
    choice = best_under_limit(answers, [[1]], PerplexityCap(times=1.5), FOLDS)
    assert choice.overall == 0 and choice.trait.tolist() == [10] * 6
    assert best_under_limit(answers, [[1]], PerplexityCap(times=1.7), FOLDS).overall == 1


def test_an_arm_competes_by_the_scores_that_it_has():
    """One answer of six without a score takes nothing from an arm; three of six take it out."""
    trait = [[10] * 6, [50] * 6, [90, np.nan, 90, 90, 90, 90]]
    choice = best_under_limit(made_answers(trait), [[1], [2]], FREE, FOLDS)
    assert choice.overall == 2
    # Without folds 1 or 2, a quarter of what would choose has no score.
    assert choice.chosen.tolist() == [2, 1, 1]
    assert choice.flattered == 90
    half = [[10] * 6, [50] * 6, [90, np.nan, 90, np.nan, 90, np.nan]]
    assert best_under_limit(made_answers(half), [[1], [2]], FREE, FOLDS).overall == 1


def test_what_lies_beyond_a_broken_arm_does_not_count():
    """A text that repeats one word has a low perplexity, and stands above one that is broken."""
    trait = [[10] * 6, [20] * 6, [40] * 6, [95] * 6]
    answers = made_answers(trait, surprise=[1.0, 1.1, 3.0, 0.2])
    limit = PerplexityCap(times=1.5)
    assert best_under_limit(answers, [[1, 2, 3]], limit, FOLDS).overall == 1
    assert best_under_limit(answers, [[1, 2], [3]], limit, FOLDS).overall == 3  # another vector's


@given(trait=arrays(np.float64, (5, 8), elements=floats(0, 100)))
def test_without_a_limit_it_is_the_nested_choice_of_stats(trait):
    folds = np.arange(8) % 4
    expected = choose(trait[1:], folds)
    found = best_under_limit(made_answers(trait), [[1], [2], [3], [4]], FREE, folds)
    assert (found.chosen - 1).tolist() == expected.chosen.tolist()
    assert found.trait.tolist() == expected.scores.tolist()
    assert found.overall - 1 == expected.overall


def test_questions_of_a_group_share_a_fold():
    folds = question_folds(["a", "a", "b", "c", "c", "d"], 3, seed=0)
    assert folds[0] == folds[1] and folds[3] == folds[4]
    assert set(folds.tolist()) == {0, 1, 2}
    assert set(question_folds(["a", "b"], 5, seed=0).tolist()) == {0, 1}
    with pytest.raises(SondeError, match="2 questions of 1 group"):
        question_folds(["a", "a"], 5, seed=0)
