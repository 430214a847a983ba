from itertools import pairwise

import numpy as np
import pytest

from planted import activations
from sonde import probes
from sonde.core.errors import SondeError
from sonde.data.comparisons import Comparison
from sonde.probes.agreement import rank_agreement
from sonde.probes.ranking import out_of_fold_ranking, pair_accuracy, rank_correlation
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


FAST = {"resamples": 20, "shuffles": 0, "directions": 0, "folds": 3, "penalties": (1.0,)}


def test_an_examples_rows_are_averaged_and_ranked_out_of_fold():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    names = [f"e{number // 2:02d}" for number in range(40)]
    acts = activations([x], examples=names, tokens=[0, 1] * 20)
    value = dict(zip(names[::2], x[::2, 0] + x[1::2, 0], strict=True))
    found = probes.ridge(acts, value, **FAST)
    scored = found.selection.scored
    said = out_of_fold_ranking(found)
    assert said["e03"] == pytest.approx(scored.predicted[scored.example == "e03"].mean())
    order = sorted(value, key=value.__getitem__)
    compared = [Comparison(low, high, 0.0) for low, high in pairwise(order)]
    agreement = rank_agreement(found, compared)
    right = np.mean([said[low] < said[high] for low, high in pairwise(order)])
    assert agreement.pairs.accuracy.value == pytest.approx(right)
    # A chain of comparisons gives utilities in its order.
    assert agreement.tau.value == rank_correlation(said, value).value
    # The fits vary too, so both intervals are wider than those of given scores.
    for found_, given in (
        (agreement.tau, rank_correlation(said, value)),
        (agreement.pairs.accuracy, pair_accuracy(said, compared).accuracy),
    ):
        assert found_.low < given.low < given.value < given.high < found_.high
    assert "of 19 comparisons in the right order" in str(agreement)


def test_a_probe_of_several_numbers_ranks_nothing():
    x = np.random.default_rng(0).normal(size=(30, 3))
    found = probes.ridge(activations([x]), x[:, :2], **FAST)
    with pytest.raises(SondeError, match="2 labels gives no one out-of-fold number"):
        rank_agreement(found, COMPARED)
