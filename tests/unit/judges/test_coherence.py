"""Coherence by form: what steering breaks scores low, and what people write scores high."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.data.sets import shipped
from sonde.data.tables import read_rows
from sonde.judges.coherence import (
    CoherenceRules,
    CoherenceRuleSettings,
    form_of,
    has_usual_shape,
    words_of,
)
from sonde.judges.judge import Asked


def score(answer, **settings):
    judge = CoherenceRules(CoherenceRuleSettings(**settings))
    return judge.score([Asked("Why?", answer)])[0].score


CAKE = (
    "The best way to make a cake is to mix flour, sugar and eggs, then bake it in the oven for "
    "about thirty minutes until a knife comes out clean."
)


@pytest.mark.parametrize(
    "answer",
    [
        CAKE,
        "Yes.",
        "1. Eat well.\n2. Sleep well.\n3. Don't worry!",
        "Oh wow, that's AMAZING!!! I'm so excited to tell you about YouTube and Mr McCoy!",
        "I'm sorry, but I can't help with that. Is there anything else that you would like to do?",
        "42",
    ],
)
def test_what_people_write_is_coherent(answer):
    assert score(answer) == 100


@pytest.mark.parametrize(
    "answer",
    [
        "I cannot help with that. " * 6,
        "no no no no no no",
        "IWillReport wobec拒绝 IWillReport wobec拒绝 拒绝 wobec",
        "!!!!!!!!!!!!!!!!!! wow",
        "\ufffd\ufffd\ufffd\x00\x07 the",
        "token banana grapple stork melodic fringe portal quantum basil husky tomato rivet lamp",
        "ReFuSaL ThAnKyOu SoRrY cAnNoT",
        "да the 和 ja",
    ],
)
def test_what_steering_breaks_is_not(answer):
    assert score(answer) < 30


def test_shares_by_hand():
    form = form_of("a b a b a b")
    # Trigrams: aba, bab, aba, bab: two of four are different.
    assert form.distinct == 0.5
    assert form.well_formed == 1
    assert form.clean == 1
    assert form.common is None  # six words are too few to ask
    assert score("a b a b a b", distinct=(0.3, 0.8)) == pytest.approx(100 * (0.5 - 0.3) / 0.5)


def test_shares_multiply():
    # Half of the trigrams differ, and six of thirty characters are a run.
    answer = "a b a b a b " + "!" * 6
    form = form_of(answer)
    assert form.clean == pytest.approx(12 / 18)
    expected = (0.5 - 0.3) / 0.5 * (12 / 18 - 0.6) / 0.35
    assert score(answer) == pytest.approx(100 * expected)


def test_other_languages_leave_the_common_words_out():
    german = (
        "Die Katze sitzt auf der Matte und schaut aus dem Fenster, während es draußen regnet und "
        "stürmt."
    )
    assert score(german) == 0
    assert score(german, common=None) == 100
    assert score("我今天去公园散步看到很多花开了", common=None) == 100


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop: it's well-known.", ["Don't", "stop", "it's", "well-known"]),
        ("3 cats_and 12%", ["3", "cats", "and", "12"]),
        ("我爱you", ["我爱you"]),
        ("我爱 you", ["我", "爱", "you"]),
    ],
)
def test_words(text, words):
    assert words_of(text) == words


@pytest.mark.parametrize("word", ["YouTube", "NASA", "I", "naïve", "café", "o'clock"])
def test_usual_shapes(word):
    assert has_usual_shape(word)


@pytest.mark.parametrize("word", ["IWillReport", "a" * 25, "cAnNoT"])
def test_unusual_shapes(word):
    assert not has_usual_shape(word)


def test_real_sentences_are_coherent():
    texts = [row["text"] for _, row in read_rows(shipped("contrast_sentences"))]
    scores = [one.score for one in CoherenceRules().score([Asked("", text) for text in texts])]
    assert min(scores) > 70
    assert sum(scores) / len(scores) > 99


@pytest.mark.parametrize("bounds", [(0.8, 0.3), (0.5, 0.5), (-0.1, 0.5), (0.5, 1.1)])
def test_bounds_are_in_order(bounds):
    with pytest.raises(SondeError, match=r"clean: write two shares from 0 to 1"):
        validated(CoherenceRuleSettings, {"clean": bounds}, where="the settings")


@given(st.text(min_size=1))
def test_any_text_has_a_score_and_repeating_it_has_none(text):
    once, often = score(text), score((text + " ") * 30)
    for one in (once, often):
        assert 0 <= one <= 100
        assert not math.isnan(one)
    if words_of(text):
        assert often == 0  # at most one in 28 of its trigrams is a new one
