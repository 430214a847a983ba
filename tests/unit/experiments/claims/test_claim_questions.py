import math

import numpy as np
import pytest
from hand_made import specification
from hypothesis import assume, given
from hypothesis import strategies as st

from sonde.experiments.claims.along import factor_values, is_ordered
from sonde.experiments.claims.questions import questions_of, trend_weights

SWEEP = "sweep: {seed: [0, 1], acts.layers: [4, 8, 16]}\n"


def questions(folder, claim, more=""):
    spec = specification(folder, f"  it: {claim}\n", more)
    variants = {planned.label: planned.changes for planned in spec.variants}
    return questions_of(spec.claims["it"], variants)


def test_three_equal_steps_weigh_the_ends():
    assert trend_weights([1, 2, 3]) == (-1.0, 0.0, 1.0)


def test_a_line_through_four_points_by_hand():
    # Mean 2.5, squares 5, span 3: weights (x − 2.5) · 3 / 5.
    assert trend_weights([1, 2, 3, 4]) == pytest.approx((-0.9, -0.3, 0.3, 0.9))


values = st.lists(st.floats(-100, 100), min_size=2, max_size=8, unique=True).map(sorted)


@given(values, st.data())
def test_the_weights_give_the_change_of_the_least_squares_line(at, data):
    assume(min(np.diff(at)) > 1e-3)
    scores = data.draw(st.lists(st.floats(-1, 1), min_size=len(at), max_size=len(at)))
    slope = np.polyfit(at, scores, 1)[0]
    found = sum(weight * score for weight, score in zip(trend_weights(at), scores, strict=True))
    assert found == pytest.approx(slope * (at[-1] - at[0]), abs=1e-6)
    assert sum(trend_weights(at)) == pytest.approx(0, abs=1e-9)


def test_factors_without_numbers_are_counted():
    assert factor_values(["first", "auto"]) == (1.0, 2.0)
    assert factor_values([4, 8.0]) == (4.0, 8.0)
    assert factor_values([True, 2]) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("order", "holds"), [([1, 2, 4], True), ([3, 1], True), ([1, 1], False), ([1, 3, 2], False)]
)
def test_an_order_rises_or_falls(order, holds):
    assert is_ordered(order) is holds


def test_a_claim_without_variants_asks_once_a_variant(tmp_path):
    text = "{statement: s, kind: superiority, of: news.selected, over: old.selected, by: 0.05}"
    found = questions(tmp_path, text, SWEEP)
    assert len(found) == 6
    asked = found["seed=1, acts.layers=4"]
    assert [str(one) for one in asked.references] == [
        "news.selected [seed=1, acts.layers=4]",
        "old.selected [seed=1, acts.layers=4]",
    ]
    assert (asked.lower, asked.upper, asked.room) == (0.05, math.inf, (1,))


def test_a_claim_that_names_variants_asks_once(tmp_path):
    text = (
        "{statement: s, kind: equivalence, of: 'news.selected [seed=0, acts.layers=4]', "
        "over: 'news.selected [seed=1, acts.layers=4]', by: 0.1}"
    )
    (label, asked), *more = questions(tmp_path, text, SWEEP).items()
    assert (label, more) == ("", [])
    assert (asked.lower, asked.upper, asked.room) == (-0.1, 0.1, (1, -1))


def test_a_trend_along_one_path_asks_once_for_each_value_of_the_others(tmp_path):
    text = "{statement: s, kind: trend, of: news.selected, along: acts.layers, by: 0.1}"
    found = questions(tmp_path, text, SWEEP)
    assert list(found) == ["seed=0", "seed=1"]
    asked = found["seed=1"]
    assert [one.variant for one in asked.references] == [
        "seed=1, acts.layers=4", "seed=1, acts.layers=8", "seed=1, acts.layers=16",
    ]  # fmt: skip
    assert asked.weights == pytest.approx(trend_weights([4, 8, 16]))


def test_a_falling_trend_has_its_weights_turned_round(tmp_path):
    text = (
        "{statement: s, kind: trend, of: [news.selected, old.selected], direction: falling, by: 0}"
    )
    (asked,) = questions(tmp_path, text).values()
    assert asked.weights == (1.0, -1.0)
    assert asked.room == (-1,)
