import numpy as np
import pytest

from sonde.core.errors import SondeError
from sonde.data.comparisons import Comparison
from sonde.probes.ranking import pair_accuracy, rank_correlation
from sonde.probes.utilities import fit_utilities

COMPARED = [Comparison("a", "b", 1.0), Comparison("c", "b", 1.0), Comparison("z", "a", 0.0)]


def test_the_share_of_winners_with_the_higher_score():
    found = pair_accuracy({"a": 2.0, "b": 1.0, "c": 0.0}, COMPARED)
    assert (found.accuracy.value, found.n) == (0.5, 2)  # z has no score


def test_scores_of_other_items_are_named():
    with pytest.raises(SondeError, match="None of 3 comparisons"):
        pair_accuracy({"x": 1.0, "y": 2.0}, COMPARED)


def test_tau_is_of_the_items_that_have_both():
    utilities = fit_utilities([*COMPARED, Comparison("a", "c", 1.0)])
    assert rank_correlation(utilities.by_item(), utilities).value == pytest.approx(1.0)
    assert rank_correlation({"a": 0.0, "b": 1.0, "new": 3.0}, utilities).value == -1.0
    assert np.isnan(rank_correlation({"a": 0.0, "b": 1.0}, utilities).low)
