"""Weighted patterns and lengths, by hand."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.judges.judge import Asked
from sonde.judges.rules import RuleJudge, read_rule, rule_of, sentences_of


def score(answer, **rule):
    return RuleJudge(rule_of(rule)).score([Asked("Why?", answer)])[0].score


def test_matches_add_up_to_their_limit():
    pattern = {"pattern": "wow", "weight": 20, "at_most": 3}
    assert score("Wow, wow!", patterns=[pattern]) == 40
    assert score("wow " * 9, patterns=[pattern]) == 60
    assert score("wow", base=30, patterns=[{**pattern, "weight": -50}]) == 0
    assert score("Wow", patterns=[{**pattern, "case": True}]) == 0


def test_a_share_of_sentences():
    pattern = {"pattern": "!$", "weight": 80, "per": "sentence"}
    # Two of four sentences end in an exclamation mark.
    assert score("Yes! No. Really?\nGood!", patterns=[pattern]) == 40
    assert score("Yes! " * 50, patterns=[pattern]) == 80


def test_a_start_is_the_first_160_characters():
    pattern = {"pattern": "sorry", "weight": 100, "where": "start"}
    assert score("I am sorry.", patterns=[pattern]) == 100
    assert score("x" * 160 + " sorry", patterns=[pattern]) == 0


@pytest.mark.parametrize(("n_words", "points"), [(2, 100), (10, 100), (30, 50), (50, 0), (99, 0)])
def test_short_answers_score_where_length_counts_down(n_words, points):
    assert score("word " * n_words, words={"none": 50, "full": 10}) == pytest.approx(points)


def test_long_answers_score_where_it_counts_up():
    assert score("word " * 30, words={"none": 10, "full": 50, "weight": 40}) == pytest.approx(20)


def test_shows_asks_for_the_threshold():
    rule = rule_of({"patterns": [{"pattern": "cannot", "weight": 60}], "threshold": 60})
    assert rule.shows("I cannot.")
    assert not rule.shows("I can.")
    assert not rule_of({"base": 100, "words": {"none": 0, "full": 1}}).shows("  ")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two!\n\nThree", ["One.", "Two!", "Three"]),
        ("好。很好！", ["好。", "很好！"]),
        ("3.5 is a number", ["3.5 is a number"]),
    ],
)
def test_sentences(text, sentences):
    assert sentences_of(text) == sentences


@pytest.mark.parametrize(
    ("given_rule", "said"),
    [
        ({"patterns": [{"pattern": "(", "weight": 1}]}, "patterns.0.pattern: it is no regular"),
        ({}, "neither patterns nor words"),
        ({"words": {"none": 5, "full": 5}}, "the same number of words"),
        ({"paterns": []}, "Did you mean 'patterns'"),
        ([], "which is no mapping"),
    ],
)
def test_a_wrong_rule_is_named(given_rule, said, tmp_path):
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(given_rule))
    with pytest.raises(SondeError, match=said) as caught:
        read_rule(path)
    caught.match("rule.json")


@given(st.text(min_size=1), st.floats(-300, 300), st.floats(-300, 300))
def test_scores_stay_within_their_range(answer, base, weight):
    rule = rule_of({"base": base, "patterns": [{"pattern": r"\w", "weight": weight, "at_most": 9}]})
    assert 0 <= rule.score(answer) <= 100
