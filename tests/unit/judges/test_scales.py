"""Expected scores over the probabilities of a scale's labels."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.judges.scales import SCALES, expected_score

DIGITS = SCALES["digits"]


def test_by_hand():
    # 9 is worth 100 and 0 is worth 0; a word takes no part: 0.6 * 100 / (0.6 + 0.2) = 75.
    given_tokens = [("9", math.log(0.6)), ("0", math.log(0.2)), ("The", math.log(0.2))]
    found = expected_score(DIGITS, given_tokens)
    assert found.score == pytest.approx(75)
    assert found.mass == pytest.approx(0.8)


def test_tokens_with_space_around_them_are_the_same_label():
    found = expected_score(DIGITS, [("9", math.log(0.3)), (" 9", math.log(0.3)), ("0\n", -50.0)])
    assert found.mass == pytest.approx(0.6)
    assert found.score == pytest.approx(100)


@pytest.mark.parametrize(
    "tokens", [[], [("Sure", -0.1)], [("07", 0.0), ("-1", -1.0), ("101", -1.0), ("", -1.0)]]
)
def test_nothing_on_the_scale_is_no_score(tokens):
    found = expected_score(SCALES["percent"], tokens)
    assert found.score is None
    assert found.mass == 0


@pytest.mark.parametrize("name", SCALES)
def test_scales_go_evenly_from_0_to_100_and_say_their_ends(name):
    scale = SCALES[name]
    scores = sorted(scale.scores.values())
    assert (scale.scores[scale.lowest], scale.scores[scale.highest]) == (0, 100)
    assert [b - a for a, b in itertools.pairwise(scores)] == pytest.approx(
        [100 / (len(scores) - 1)] * (len(scores) - 1)
    )
    assert scale.lowest in scale.ask
    assert scale.highest in scale.ask


@given(
    st.dictionaries(st.sampled_from("0123456789"), st.floats(-30, 0), min_size=1),
    st.floats(-5, 0),
)
def test_score_lies_among_the_labels_and_ignores_a_common_factor(logarithms, factor):
    whole = expected_score(DIGITS, logarithms.items())
    values = [DIGITS.scores[label] for label in logarithms]
    assert min(values) - 1e-9 <= whole.score <= max(values) + 1e-9
    assert 0 < whole.mass <= 1
    scaled = expected_score(DIGITS, [(label, one + factor) for label, one in logarithms.items()])
    assert scaled.score == pytest.approx(whole.score, abs=1e-6)
