"""Opinions are checked, and each judge follows the protocol."""

import pytest

from sonde.core.errors import SondeError
from sonde.judges import (
    Asked,
    CachedJudge,
    CoherenceRules,
    FunctionJudge,
    Judge,
    Opinion,
    RuleJudge,
    ServerJudge,
    ServerJudgeSettings,
    StreamingJudge,
    rule_of,
)
from sonde.judges.judge import nothing_to_judge

RULES = RuleJudge(rule_of({"patterns": [{"pattern": "no", "weight": 100}]}))


def test_an_opinion_without_a_score_says_why():
    with pytest.raises(SondeError, match="says why"):
        Opinion(None)
    assert Opinion(None, reason="refused").score is None


@pytest.mark.parametrize("score", [-0.1, 100.1, float("nan")])
def test_scores_are_from_0_to_100(score):
    with pytest.raises(SondeError, match="outside 0 to 100"):
        Opinion(score)


@pytest.mark.parametrize("answer", ["", " \n\t"])
def test_an_empty_answer_scores_nothing(answer):
    assert nothing_to_judge(Asked("Why?", answer)).score == 0
    assert nothing_to_judge(Asked("Why?", answer + ".")) is None


def test_every_kind_follows_the_protocol(tmp_path):
    server = ServerJudge(ServerJudgeSettings(url="http://127.0.0.1:1/v1", model="m"), "trait")
    function = FunctionJudge(lambda asked: [50.0] * len(asked), "half", "trait", {})
    for judge in (RULES, CoherenceRules(), function, server):
        assert isinstance(judge, Judge)
    assert isinstance(CachedJudge(RULES, tmp_path / "cache"), StreamingJudge)
    assert isinstance(server, StreamingJudge)
    assert not isinstance(RULES, StreamingJudge)


def test_a_function_judges_what_is_not_empty_at_once():
    seen = []

    def lengths(asked):
        seen.append(len(asked))
        return [float(len(one.answer)) for one in asked]

    judge = FunctionJudge(lengths, "length", "trait", {"version": 1})
    scores = [one.score for one in judge.score([Asked("", text) for text in ("ab", "", "abcd")])]
    assert scores == [2, 0, 4]
    assert seen == [2]
    assert judge.score([Asked("", "")])[0].reason == "the answer is empty"
    assert seen == [2]


def test_a_function_that_gives_wrong_scores_is_named():
    def giving(*values):
        return FunctionJudge(lambda asked: values, "odd", "trait", {}).score([Asked("", "a")])

    assert giving(float("nan"))[0].reason == "the judge odd gave nan"
    with pytest.raises(SondeError, match="a score of 101, outside"):
        giving(101)
    with pytest.raises(SondeError, match="2 scores for 1 answers"):
        giving(1, 2)
