import numpy as np
import torch

from sonde.probes.lines import RowLines, Scoring
from sonde.probes.nested import nested, strongest_best
from sonde.stats import METRICS


class Recorder:
    """A predictor whose penalty 0 is right in folds 0 and 1 only, and penalty 1 in the others."""

    def __init__(self, folds, y):
        self.folds, self.y, self.asked = folds, y, []

    def held_out(self, left_out, penalties):
        self.asked.append(tuple(left_out))
        held = np.isin(self.folds, left_out)
        low = np.isin(self.folds[held], (0, 1))
        y = self.y[held]
        guesses = np.stack([np.where(low, y, 10.0), np.where(low, 10.0, y)])
        return torch.from_numpy(guesses)[None, :, :, None, None]


def test_the_choice_of_a_fold_never_sees_it():
    folds = np.arange(60) % 4
    y = np.random.default_rng(0).normal(size=60)
    predictor = Recorder(folds, y)
    scoring = Scoring.of(RowLines(np.arange(60)), folds, y[:, None, None])
    found = nested(predictor, scoring, (1.0, 2.0), METRICS["r2"])
    # Without fold 0, penalty 1 is right in two folds of three, and so on; each fold gets what is
    # wrong for it.
    assert found.chosen[0, :, 0].tolist() == [1, 1, 0, 0]
    assert (found.out_of_fold[0, :, 0] == 10.0).all()
    # Six pairs serve as inner fits of both their folds.
    assert sorted(predictor.asked) == sorted(
        [(0,), (1,), (2,), (3,), (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    )


def test_of_equal_scores_the_strongest_wins_and_nan_never():
    scores = np.array([[0.5, 0.9, 0.9, np.nan], [np.nan, 0.1, 0.0, 0.1 - 1e-12]])
    assert strongest_best(scores, axis=1).tolist() == [2, 3]
