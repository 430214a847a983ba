"""Metrics of several classes against scikit-learn."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as peer

from sonde.stats import class_accuracy, macro_recall


def test_metrics_of_several_classes():
    rng = np.random.default_rng(1)
    truth = rng.choice(5, 300, p=[0.5, 0.3, 0.1, 0.07, 0.03]).astype(float)
    said = np.where(rng.random(300) < 0.6, truth, rng.integers(0, 6, 300))
    assert class_accuracy(truth, said) == pytest.approx(peer.accuracy_score(truth, said))
    with warnings.catch_warnings():  # class 5 is said and never true
        warnings.simplefilter("ignore")
        want = peer.balanced_accuracy_score(truth, said)
    assert macro_recall(truth, said) == pytest.approx(want)
