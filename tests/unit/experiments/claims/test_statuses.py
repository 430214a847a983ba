import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.experiments.claims.specification import ReferenceValue
from sonde.experiments.claims.statuses import statuses_of, unmatched
from sonde.ledger.records import Against, Measured
from sonde.stats.interval import Interval

SCORE = Interval(0.80, 0.76, 0.84, 100)


def status(score=SCORE, reference=None, metric="auroc", **controls):
    against = {name.replace("_", " "): Against(one) for name, one in controls.items()}
    results = {"news": {"selected": Measured("selected", metric, score, controls=against)}}
    references = {} if reference is None else {"news.selected": reference}
    (found,) = statuses_of(results, references, "")
    return found


def stated(value, tolerance=0.01, source="a paper"):
    return ReferenceValue(value=value, tolerance=tolerance, source=source)


@pytest.mark.parametrize(
    ("value", "word"),
    [(0.80, "reproduced"), (0.81, "reproduced"), (0.83, "inconclusive"), (0.85, "inconclusive"),
     (0.851, "novel"), (0.70, "novel")],
)  # fmt: skip
def test_a_stated_value_is_reproduced_perhaps_or_not(value, word):
    found = status(reference=stated(value))
    assert found.status == word
    assert f"{value:g} ± 0.01 (a paper)" in found.why
    assert found.reference == {"value": value, "tolerance": 0.01, "source": "a paper"}


def test_the_difference_is_said():
    assert "by +0.100" in status(reference=stated(0.7)).why


def test_without_a_stated_value_a_result_is_novel_or_not_told_from_nothing():
    assert status(shuffled_labels=Interval(0.5, 0.45, 0.55, 100)).status == "novel"
    near = status(shuffled_labels=Interval(0.7, 0.63, 0.77, 100))
    assert near.status == "inconclusive"
    assert "not told from shuffled labels, 0.700 [0.630, 0.770]" in near.why
    chance = status(Interval(0.55, 0.48, 0.62, 30))
    assert "not told from chance, 0.5" in chance.why
    assert status(Interval(math.nan, math.nan, math.nan, 3)).status == "inconclusive"


def test_a_mean_may_lie_on_either_side():
    low = Interval(-2.0, -2.5, -1.5, 40)
    assert status(low, metric="mean", none=Interval(0.0, -0.1, 0.1, 40)).status == "novel"
    assert status(low, metric="mean").status == "novel"  # it has no chance


def test_what_is_not_applicable_has_no_status():
    results = {"news": {"selected": Measured("selected", "auroc", None, not_applicable="none")}}
    assert statuses_of(results, {}, "") == ()


def test_a_reference_of_one_variant_is_for_that_variant_only():
    results = {"news": {"selected": Measured("selected", "auroc", SCORE)}}
    references = {"news.selected [seed=1]": stated(0.8), "news.other": stated(0.8)}
    found = {label: statuses_of(results, references, label)[0] for label in ("seed=1", "seed=2")}
    assert found["seed=1"].status == "reproduced"
    assert found["seed=2"].reference is None
    assert unmatched(results, references, "seed=2") == ("news.other",)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.2), st.floats(0, 0.2))
def test_novel_means_that_the_interval_and_the_band_are_apart(value, other, reach, tolerance):
    score = Interval(value, value - reach, value + reach, 50)
    found = status(score, stated(other, tolerance))
    apart = abs(value - other) > reach + tolerance + 1e-9
    assert (found.status == "novel") or not apart
    if found.status == "reproduced":
        assert abs(value - other) <= tolerance + 1e-9
