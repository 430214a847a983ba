import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from sonde.core.errors import SondeError
from sonde.stats.choice import choose, choose_fitted
from sonde.stats.folds import grouped_folds


def test_by_hand():
    # Without fold 0 the second candidate leads (1 against 0), without fold 1 the first.
    scores = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    found = choose(scores, np.array([0, 0, 1, 1]))
    assert found.chosen.tolist() == [1, 0]
    assert found.scores.tolist() == [0.0, 0.0, 0.0, 0.0]
    assert (found.overall, found.flattered, found.agreed) == (0, 0.5, False)


def test_the_best_of_noise_flatters_and_the_nested_score_does_not():
    """Thirty coefficients that do nothing: the best one seems to raise success all the same."""
    rng = np.random.default_rng(0)
    flattered, honest = [], []
    for seed in range(200):
        effects = rng.normal(size=(30, 40))
        found = choose(effects, grouped_folds(np.arange(40), 5, seed=seed))
        flattered.append(found.flattered)
        honest.append(found.scores.mean())
    assert np.mean(flattered) > 0.25
    assert abs(np.mean(honest)) < 4 * np.std(honest) / np.sqrt(200)


def test_a_real_effect_is_found():
    effects = np.random.default_rng(1).normal(size=(8, 60))
    effects[5] += 1.0
    found = choose(effects, np.arange(60) % 4)
    assert found.agreed
    assert found.overall == 5
    assert found.scores == pytest.approx(effects[5])


@given(seed=st.integers(0, 100))
def test_a_unit_never_chooses_for_its_own_fold(seed):
    rng = np.random.default_rng(seed)
    scores, folds = rng.normal(size=(5, 30)), rng.permutation(np.arange(30) % 3)
    once = choose(scores, folds)
    bent = scores.copy()
    bent[:, folds == 1] = rng.normal(size=(5, 10)) * 100
    assert choose(bent, folds).chosen[1] == once.chosen[1]


def test_fitted_candidates_choose_by_inner_folds_alone():
    """Candidate 1 memorises: perfect on units it was fitted on. It must not be chosen for that."""
    truth = np.random.default_rng(2).normal(size=40)
    asked = []

    def fit(candidate, train, test):
        asked.append((candidate, train.copy(), test.copy()))
        assert not (train & test).any()
        if candidate == 1:
            return np.where(train[test], 1.0, -np.abs(truth[test]))
        return np.full(test.sum(), 0.1)

    folds = np.arange(40) % 4
    found = choose_fitted(fit, 2, folds)
    assert found.chosen.tolist() == [0, 0, 0, 0]
    assert found.scores == pytest.approx(np.full(40, 0.1))
    # Of each candidate 4 outer fits, and 6 pairs of folds left out.
    assert len(asked) == 2 * (4 + 6)


def test_fitted_agrees_with_fits_written_out():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(45, 3)), rng.normal(size=45)
    y += x[:, 2]
    folds = grouped_folds(np.arange(45), 3)

    def fit(candidate, train, test):
        slope, level = np.polyfit(x[train, candidate], y[train], 1)
        return -np.square(y[test] - slope * x[test, candidate] - level)

    found = choose_fitted(fit, 3, folds)
    for outer in range(3):
        by_candidate = []
        for candidate in range(3):
            inner = np.full(45, np.nan)
            for held in {0, 1, 2} - {outer}:
                train = (folds != outer) & (folds != held)
                inner[folds == held] = fit(candidate, train, folds == held)
            by_candidate.append(np.nanmean(inner))
        best = int(np.argmax(by_candidate))
        assert found.chosen[outer] == best
        assert found.scores[folds == outer] == pytest.approx(
            fit(best, folds != outer, folds == outer)
        )


def test_false_alarms_of_the_flattered_score_are_many():
    """What the nested score is for: 20 candidates of no effect, a one-sided test at 2.5 %."""
    rng = np.random.default_rng(4)
    naive = 0
    for _ in range(200):
        effects = rng.normal(size=(20, 50))
        best = effects[choose(effects, np.arange(50) % 5).overall]
        naive += best.mean() / best.std(ddof=1) * np.sqrt(50) > 1.96
    assert binom.sf(naive - 1, 200, 0.05) < 1e-6


def test_candidates_without_a_score_are_not_chosen():
    scores = np.array([[9.0, 9.0, np.nan, 9.0], [1.0, 1.0, 1.0, 1.0]])
    assert choose(scores, np.array([0, 0, 1, 1])).chosen.tolist() == [1, 0]
    with pytest.raises(SondeError, match="No candidate has a score"):
        choose(np.full((2, 4), np.nan), np.array([0, 0, 1, 1]))
    with pytest.raises(SondeError, match="do not divide 4 units"):
        choose(np.ones((2, 4)), np.zeros(4, int))
    with pytest.raises(SondeError, match="at least three"):
        choose_fitted(lambda *_: np.ones(2), 2, np.array([0, 0, 1, 1]))
