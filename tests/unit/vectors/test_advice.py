"""The recommendation in words, from made-up measurements of each case."""

import math

import pytest
from made_vectors import made
from massive_reports import massive_report

from sonde.core.errors import SondeError
from sonde.stats.interval import Interval
from sonde.vectors import VectorSet, advise

SHORT, LONG = "response[:5].mean", "response[:20].mean"


def vector(method, d, share=0.0, layer=0, position=SHORT, cleaning="none"):
    """A vector of that d with that share of its squared length in the massive coordinate 2."""
    return made(
        (math.sqrt(1 - share), 0.0, math.sqrt(share)),
        layer,
        method=method,
        cleaning=cleaning,
        position=position,
        metrics={} if d is None else {"cohens_d": Interval(d, d - 1, d + 1, 40)},
    )


def test_severe_massive_dimensions_speak_for_the_probe_as_in_the_log():
    vectors = VectorSet(
        (
            vector("mean_difference", 4.0, share=0.88),
            vector("mean_difference", 3.6, cleaning="all"),
            vector("probe", 3.5, share=0.1),
            vector("random", 9.0),
        )
    )
    found = advise(vectors, massive_report({2: 1000.0}))
    assert (found.severity, found.method, found.cleaning) == ("severe", "probe", "none")
    text = str(found)
    assert "Massive dimensions are severe: 1 coordinate, of which 2 is 1000 times" in text
    assert "has 88% of its squared length in them" in text
    assert "mean_difference separates better" not in text
    assert "mean_difference at response[:5].mean separates better (d 4.00), but 88%" in text
    assert "what separates best need not steer best" in text
    assert "cosines with it are mean_difference 0.63, mean_difference/all 0.95." in text
    assert text.startswith("Try probe at")


def test_mild_ones_leave_the_mean_difference_its_lead():
    vectors = VectorSet((vector("mean_difference", 4.0, share=0.6), vector("probe", 3.0)))
    found = advise(vectors, massive_report({2: 60.0}))
    assert (found.severity, found.method) == ("mild", "mean_difference")
    assert "which separates best" in str(found)


def test_the_plainest_of_equals_is_taken():
    vectors = VectorSet((vector("lda", 3.0), vector("lda", 3.1, cleaning="top-1")))
    found = advise(vectors, massive_report({2: 60.0}))
    assert found.cleaning == "none"
    assert "separates hardly better (d 3.10) and is less plain" in str(found)


def test_windows_are_compared_and_the_best_layer_is_named():
    vectors = VectorSet(
        tuple(
            vector("probe", d, layer=layer, position=position)
            for position, values in ((SHORT, (1.0, 2.0, 1.5)), (LONG, (2.0, 4.0, 2.5)))
            for layer, d in enumerate(values)
        )
    )
    found = advise(vectors, massive_report())
    assert (found.severity, found.position, found.layer) == ("none", LONG, 1)
    assert "these are best: probe at response[:20].mean (2.50; at" in str(found)
    assert "no massive dimensions" in str(found)
    short = next(one for one in found.table if one.position == SHORT)
    assert (short.d, short.best_d, short.best_layer) == (1.5, 2.0, 1)


def test_without_a_measurement_nothing_is_claimed_of_massive_dimensions():
    bare = vector("probe", 2.0)
    found = advise(VectorSet((bare,)), None)
    assert found.severity == "not measured"
    assert "nothing is known of their part" in str(found)


def test_unscored_vectors_are_nothing_to_advise_on():
    with pytest.raises(SondeError, match="nothing to advise on"):
        advise(VectorSet((vector("gradient", None), vector("random", 3.0))), None)
