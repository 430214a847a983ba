"""What a judge said is kept, what it did not say is asked for again by a later run."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from tests.unit.judges.chat_servers import Answer, completion, serving
from tests.unit.steering.tiny_search import TASK, judges, planted, session

from sonde.core.errors import SondeError
from sonde.judges import CachedJudge, Opinion, ServerJudge, ServerJudgeSettings
from sonde.judges.answer_form import WRITE_73
from sonde.steering import Judges, PerplexityCap, search
from sonde.steering.journal import Journal
from sonde.steering.scoring import Said, cost_of, opinions

SAID = [Said(number % len(TASK.questions), f"answer {number}") for number in range(70)]
SMALL = {"limit": PerplexityCap(times=20), "points": 1, "refinements": 1, "room": 0}


@dataclass
class Moody:
    """A judge that gives some answers no score the first time it is asked about them."""

    refuses: tuple[str, ...] = ()
    gone_after: int | None = None  # opinions, after which it is lost
    aspect: str = "trait"
    name: str = "moody"
    asked: list[tuple[str, str]] = field(default_factory=list)

    def key(self):
        return {"kind": "moody"}

    def score(self, asked):
        return [one for _, one in self.each(asked)]

    def each(self, asked):
        for number, one in reversed(list(enumerate(asked))):  # as threads do, in any order
            if len(self.asked) == self.gone_after:
                self.gone_after = None
                raise SondeError("The judge is gone.", fix="Run again.")
            self.asked.append((one.question, one.answer))
            refused = self.asked.count(self.asked[-1]) == 1 and one.answer in self.refuses
            yield number, Opinion(None, reason="refused") if refused else Opinion(40.0, cost=0.5)


def test_what_got_no_score_is_asked_about_again_by_a_later_run_alone(tmp_path):
    judge = Moody(refuses=("answer 3", "answer 66"))
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, {})
    for _ in range(2):  # the same run asks once
        found = opinions(judge, TASK, SAID, journal)
        unscored = [number for number, one in enumerate(found) if one.score is None]
        assert unscored == [3, 66] and found[3].reason == "refused"
    assert len(judge.asked) == 70
    later = Journal(path, {})
    found = opinions(judge, TASK, SAID, later)
    assert [one.score for one in found] == [40.0] * 70
    assert sorted(answer for _, answer in judge.asked[70:]) == ["answer 3", "answer 66"]
    assert cost_of(judge, later) == 35.0
    opinions(judge, TASK, SAID, Journal(path, {}))
    assert len(judge.asked) == 72


def test_what_was_said_before_a_judge_was_lost_is_kept(tmp_path):
    judge = Moody(gone_after=67)  # 64 at once, then three of six
    path = tmp_path / "journal.jsonl"
    with pytest.raises(SondeError, match="is gone"):
        opinions(judge, TASK, SAID, Journal(path, {}))
    assert len(opinions(judge, TASK, SAID, Journal(path, {}))) == 70
    assert Counter(judge.asked).most_common(1)[0][1] == 1 and len(judge.asked) == 70


def test_a_judge_that_forgets_answers_is_named(tmp_path):
    class Short(Moody):
        def each(self, asked):
            yield from list(super().each(asked))[1:]

    with pytest.raises(SondeError, match="The judge moody gave 63 opinions of 64 answers"):
        opinions(Short(), TASK, SAID, Journal(None, {}))


def test_a_result_counts_what_a_judge_refused_and_a_later_run_mends_it(tmp_path):
    texts = search(session(**SMALL), [planted()], judges()).answers.text
    steered = next(text for text in texts[3] if text.strip())
    judge = Moody(refuses=(steered,))
    found = search(session(tmp_path, **SMALL), [planted()], Judges(judge))
    unscored = int(np.isnan(found.answers.trait).sum())
    assert unscored >= 1
    (said,) = [one for one in found.warnings if "no trait score" in one]
    assert said.startswith(f"{unscored} of ") and said.endswith(f"refused ({unscored}).")
    asked = len(judge.asked)
    mended = search(session(tmp_path, **SMALL), [planted()], Judges(judge))
    again = judge.asked[asked:]
    assert {answer for _, answer in again} == {steered} and len(set(again)) == len(again)
    assert np.isfinite(mended.answers.trait).all()
    assert not [one for one in mended.warnings if "no trait score" in one]


@pytest.mark.parametrize("cached", [False, True])
def test_a_search_goes_on_with_the_missing_calls_where_its_server_was_lost(tmp_path, cached):
    state = {"asked": [], "away_at": 12}

    def respond(number, body):
        text = body["messages"][0]["content"]
        if text == WRITE_73:
            return completion({"7": 1.0})
        if len(state["asked"]) == state["away_at"]:
            return Answer(b"shutting down", status=503)
        state["asked"].append(text)
        return completion({"4": 0.9, "Well": 0.1})

    with serving(respond) as served:
        chosen = ServerJudgeSettings(
            url=served.url, model="m", tries=1, first_wait=0.01, concurrency=1
        )
        judge = ServerJudge(chosen, "trait")
        judge = CachedJudge(judge, tmp_path / "opinions.sqlite") if cached else judge
        folder = tmp_path / "search"
        with pytest.raises(SondeError, match="shutting down") as caught:
            search(session(folder, **SMALL), [planted()], Judges(judge))
        caught.match("run the same command again")
        assert len(state["asked"]) == 12
        state["away_at"] = None
        found = search(session(folder, **SMALL), [planted()], Judges(judge))
    assert np.isfinite(found.answers.trait).all()
    assert len(set(state["asked"])) == len(state["asked"]) > 12  # nothing was asked twice


def test_a_judge_whose_scores_a_journal_holds_is_not_called_none(tmp_path):
    """The run that goes on asks only about what had no score: answers that it will not score."""
    path = tmp_path / "journal.jsonl"

    def respond(number, body):
        text = body["messages"][0]["content"]
        beside = "odd" in text and text != WRITE_73
        return completion({"What": 0.9, "5": 0.1} if beside else {"7": 0.9, "The": 0.1})

    with serving(respond) as served:
        given = ServerJudgeSettings(url=served.url, model="m", concurrency=1)
        said = [*SAID[:2], *(Said(0, f"odd {number}") for number in range(12))]
        for _ in range(2):
            found = opinions(ServerJudge(given, "trait"), TASK, said, Journal(path, {}))
            assert [one.score is None for one in found] == [False] * 2 + [True] * 12
        known = CachedJudge(ServerJudge(given, "trait"), tmp_path / "opinions.sqlite")
        opinions(known, TASK, SAID[:1], Journal(None, {}))
        known = CachedJudge(ServerJudge(given, "trait"), tmp_path / "opinions.sqlite")
        assert len(opinions(known, TASK, [SAID[0], *said[2:]], Journal(None, {}))) == 13


def test_an_empty_answer_is_nobody_s_score(tmp_path):
    path = tmp_path / "journal.jsonl"

    with serving(lambda number, body: completion({"What": 0.9, "5": 0.1})) as served:
        given = ServerJudgeSettings(url=served.url, model="m", concurrency=1)
        opinions(ServerJudge(given, "trait"), TASK, [Said(0, " ")], Journal(path, {}))
        said = [Said(0, f"odd {number}") for number in range(12)]
        with pytest.raises(SondeError, match="none of its first 10"):
            opinions(ServerJudge(given, "trait"), TASK, [Said(0, " "), *said], Journal(path, {}))
