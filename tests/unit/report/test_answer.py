"""The sentence and the verdict, worked by hand; a verdict never claims more than the numbers."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.report import Curve, LayerCurves, answer_from
from sonde.report.answer import forest
from sonde.stats.interval import Interval

SCORE = Interval(0.93, 0.90, 0.96, 160)
CONTROL = Interval(0.51, 0.46, 0.56, 160)
WORDS = Interval(0.62, 0.57, 0.67, 160)


def curves(**changes) -> LayerCurves:
    first = Interval(0.6, 0.5, 0.7, 160)
    curve = Curve("ridge", (first, SCORE), shuffled(CONTROL), {"bag of tokens": WORDS})
    return LayerCurves((3, 17), (replace(curve, **changes),))


def shuffled(last: Interval) -> dict[str, tuple[Interval, Interval]]:
    return {"shuffled labels": (CONTROL, last)}


def test_the_sentence():
    assert answer_from(curves()).sentence == (
        "Best block 17: AUROC .93 [.90, .96] against .51 for shuffled labels "
        "and .62 for the words alone."
    )


def test_the_choice_is_said_and_judged():
    chosen = Interval(0.60, 0.50, 0.70, 160)
    answer = answer_from(curves(selected=chosen))
    assert (
        "With the layer chosen inside the training folds it is .60 [.50, .70]." in answer.sentence
    )
    assert answer.strength == "none", "the best layer is clear, but choosing it is not"


def test_clear_needs_the_control_and_the_words_beaten():
    assert answer_from(curves()).strength == "clear"
    rival = Interval(0.9, 0.85, 0.95, 160)
    assert answer_from(curves(baselines={"bag of tokens": rival})).strength == "weak"
    assert answer_from(curves(baselines={})).strength == "weak"
    high = Interval(0.93, 0.86, 0.97, 160)
    assert answer_from(curves(controls=shuffled(high))).strength == "none"
    assert answer_from(curves(controls={})).strength == "weak"


def test_of_a_token_task_the_current_token_stands_for_the_words():
    answer = answer_from(curves(baselines={"current token": WORDS}))
    assert answer.strength == "clear"
    assert "beyond what shuffled labels or the current token alone allow" in answer.verdict
    rival = answer_from(curves(baselines={"current token": SCORE}))
    assert rival.strength == "weak"
    assert "the current token alone may do as well" in rival.verdict


@pytest.mark.parametrize("name", ["random direction", "random weights", "length"])
def test_whatever_does_as_well_is_named(name):
    rival = Interval(0.91, 0.87, 0.95, 160)
    control = {"controls": {**shuffled(CONTROL), name: (CONTROL, rival)}}
    baseline = {"baselines": {"bag of tokens": WORDS, name: rival}}
    answer = answer_from(curves(**(baseline if name == "length" else control)))
    assert answer.strength == "weak"
    assert name in answer.verdict
    assert "may do as well: no evidence of anything beyond it." in answer.verdict
    assert any(said == name for said, _ in answer.estimates)


def test_the_choice_is_held_against_its_own_controls():
    chosen, high = Interval(0.92, 0.89, 0.95, 160), Interval(0.8, 0.7, 0.9, 160)
    assert answer_from(curves(selected=chosen)).strength == "clear"
    own = {"shuffled labels": high}
    assert answer_from(curves(selected=chosen, selected_controls=own)).strength == "none"


def test_what_is_missing_is_said():
    reason = "no texts were given"
    bare = curves(baselines={}, missing={"bag of tokens": reason, "length": reason})
    assert answer_from(bare).sentence.endswith("No baseline (no texts were given).")
    part = curves(missing={"random direction": "switched off by directions: 0"})
    assert answer_from(part).sentence.endswith(
        "No random direction control (switched off by directions: 0)."
    )


def test_without_any_control_nothing_is_concluded():
    bare = replace(curves(controls={}, baselines={}), chance=None)
    answer = answer_from(bare)
    assert answer.strength == "none"
    assert answer.sentence.endswith("without a control to hold against.")


def test_no_finite_score_is_no_answer():
    bad = Interval(math.nan, math.nan, math.nan, 160)
    assert answer_from(curves(scores=(bad, None))).strength == "none"


bound = st.floats(0, 1) | st.just(math.nan)


@st.composite
def intervals(draw) -> Interval:
    low, value, high = sorted(draw(st.tuples(bound, bound, bound)))
    return Interval(value, low, high, 10)


@given(intervals(), intervals(), intervals(), intervals())
def test_clear_is_never_said_of_overlapping_or_unknown_intervals(score, control, words, chosen):
    answer = answer_from(
        curves(
            scores=(None, score),
            controls=shuffled(control),
            baselines={"bag of tokens": words},
            selected=chosen,
        )
    )
    if answer.strength == "clear":
        assert chosen.low > max(control.high, words.high, 0.5)


@pytest.mark.parametrize("part", ["block 17", "bag of tokens", "shuffled labels", ".93 [.90, .96]"])
def test_the_drawing_says_its_numbers(part):
    assert part in forest(answer_from(curves()))
