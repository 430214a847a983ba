"""The judge on a server: scores, scales, retries that fail, and servers that are none."""

import json
import re
from threading import Event

import pytest
from tests.unit.judges.chat_servers import Answer, completion, free_port, serving

from sonde.core.errors import SondeError
from sonde.judges.answer_form import WRITE_73
from sonde.judges.cache import CachedJudge
from sonde.judges.chat_server import Pace
from sonde.judges.judge import Asked
from sonde.judges.off_scale import FIRST
from sonde.judges.server import ServerJudge
from sonde.judges.settings import ServerJudgeSettings

ONE_DIGIT = completion({"7": 0.8, "The": 0.2})


def judge_at(url, aspect="trait", **changes):
    patience = {"timeout": 30, "tries": 2, "first_wait": 0.01}
    settings = ServerJudgeSettings(url=url, model="m", **{**patience, **changes})
    return ServerJudge(settings, aspect)


def asked(*answers):
    return [Asked("Why?", answer, "joy", "great joy") for answer in answers]


def text_of(body):
    return body["messages"][0]["content"]


def responding(respond, form=ONE_DIGIT):
    """Answer the question about the scale by ``form``, and the others by ``respond``."""
    return lambda number, body: form if text_of(body) == WRITE_73 else respond(text_of(body))


def digit_of(text):
    """Give an answer's first digit, with 0.9, or nothing of the scale."""
    digit = re.search(r"<answer>\n\D*(\d)", text)[1]
    return completion({digit: 0.9, "Well": 0.1})


def test_scores_are_in_order_of_the_answers_and_asked_for_at_once():
    answers = [f"it is {number % 10}" for number in range(30)]
    both_here = Event()

    def respond(text):
        # The first waits for a second one, which only comes where several are asked at once.
        if "it is 0" in text:
            both_here.wait(20)
        else:
            both_here.set()
        return digit_of(text)

    with serving(responding(respond)) as served:
        found = judge_at(served.url, concurrency=4).score(asked(*answers))
    assert [one.score for one in found] == pytest.approx([n % 10 * 100 / 9 for n in range(30)])
    assert [one.mass for one in found] == pytest.approx([0.9] * 30)
    assert len(served.bodies) == 31
    assert served.busiest() in (2, 3, 4)


@pytest.mark.parametrize(
    ("form", "label", "score", "tokens"),
    [
        pytest.param(completion({"73": 0.9, "7": 0.1}), "40", 40, 1, id="whole numbers"),
        pytest.param(completion({"7": 0.9, "I": 0.1}, {"3": 1.0}), "3", 100 / 3, 1, id="digits"),
        pytest.param(completion({"The": 0.9, "7": 0.1}), "9", 100, 1, id="digits, if unlikely"),
        pytest.param(completion({"I": 0.9, "You": 0.1}), "B", 75, 1, id="letters"),
        pytest.param(completion({" ": 1.0}, {"73": 1.0}), "40", 40, 2, id="behind a blank"),
    ],
)
def test_the_scale_is_the_finest_whose_answers_are_one_token(form, label, score, tokens):
    blank = [{" ": 1.0}] * (tokens - 1)
    with serving(responding(lambda text: completion(*blank, {label: 1.0}), form)) as served:
        (found,) = judge_at(served.url).score(asked("yes"))
    assert found.score == pytest.approx(score)
    assert [body["max_tokens"] for body in served.bodies] == [4, tokens]


def test_a_scale_can_be_chosen():
    with serving(responding(lambda text: completion({"A": 1.0}))) as served:
        (found,) = judge_at(served.url, scale="letters").score(asked("yes"))
    assert found.score == 100
    assert "letters A, B, C, D and E" in text_of(served.bodies[1])


def test_mass_counts_the_blank_before_and_too_little_is_no_score():
    reply = completion({" ": 0.5, "I": 0.4}, {"9": 0.6, "x": 0.4})
    with serving(responding(lambda text: reply, completion({" ": 1.0}, {"7": 1.0}))) as served:
        (kept,) = judge_at(served.url, least_mass=0.3).score(asked("yes"))
        (none,) = judge_at(served.url, least_mass=0.31).score(asked("yes"))
    assert (kept.score, kept.mass) == (100, pytest.approx(0.3))
    assert none.score is None
    assert none.mass == pytest.approx(0.3)
    assert none.reason == "30.0% of the judge's probability is on the scale, less than 31%; " + (
        "it said '9'"
    )


def test_cost_is_tokens_times_prices():
    with serving(responding(lambda text: ONE_DIGIT)) as served:
        judge = judge_at(served.url, price_in=2.0, price_out=30.0)
        (found,) = judge.score(asked("yes"))
    assert found.tokens == 101
    assert found.cost == pytest.approx((100 * 2 + 1 * 30) / 1e6)


def test_most_cost_stops_and_gives_what_was_judged():
    with serving(responding(lambda text: ONE_DIGIT)) as served:
        judge = judge_at(served.url, price_in=1e4, most_cost=2.5, concurrency=1)
        found = []
        with pytest.raises(SondeError, match=r"has cost 3, and most_cost is 2.5\. 3 of 9 answers"):
            found.extend(judge.each(asked(*"abcdefghi")))
    assert len(found) == 3


def test_most_cost_holds_over_all_that_a_judge_is_asked():
    with serving(responding(lambda text: ONE_DIGIT)) as served:
        judge = judge_at(served.url, price_in=1e4, most_cost=4.5, concurrency=1)
        assert len(judge.score(asked(*"abc"))) == 3
        found = []
        with pytest.raises(SondeError, match=r"has cost 5, and most_cost is 4.5\. 2 of 5 answers"):
            found.extend(judge.each(asked(*"defgh")))
        with pytest.raises(SondeError, match="0 of 1 answers"):
            judge.score(asked("i"))
    assert len(found) == 2
    assert len(served.bodies) == 1 + 5


def test_the_pace_holds_over_all_that_a_judge_is_asked(monkeypatch):
    waits = []
    monkeypatch.setattr(Pace, "seconds_to_wait", lambda pace: waits.append(id(pace)) or 0.0)
    with serving(responding(lambda text: ONE_DIGIT)) as served:
        judge = judge_at(served.url, requests_per_minute=60)
        for answer in "abc":
            judge.score(asked(answer))
    assert len(waits) == 4 and len(set(waits)) == 1


def test_a_judge_that_has_scored_may_leave_any_number_without_a_score():
    """64 good opinions, and then 10 beside the scale in the next part, as a search asks."""

    def respond(text):
        return completion({"What": 0.9, "5": 0.1}) if "odd" in text else ONE_DIGIT

    with serving(responding(respond)) as served:
        judge = judge_at(served.url, concurrency=2)
        judge.score(asked("fine"))
        found = judge.score(asked(*(f"odd {number}" for number in range(2 * FIRST))))
        assert [one.score for one in found] == [None] * (2 * FIRST)
        told = judge_at(served.url, concurrency=2)
        told.has_scored()  # in an earlier run, as a cache or a journal knows
        assert len(told.score(asked(*(f"odd {number}" for number in range(2 * FIRST))))) == 20
        fresh = judge_at(served.url, concurrency=1)
        for part in range(3):
            fresh.score(asked(*(f"odd {part} {number}" for number in range(3))))
        for _ in range(2):  # it stays none
            with pytest.raises(SondeError, match=r"none of its first 1[01] answers"):
                fresh.score(asked("odd"))


def test_a_server_that_disappears_half_way_keeps_what_is_finished():
    gone = Event()

    def respond(text):
        if "<answer>\nlast" in text:
            gone.set()
            return Answer(b"shutting down", status=503)
        return ONE_DIGIT if not gone.is_set() else Answer(b"shutting down", status=503)

    with serving(responding(respond)) as served:
        judge = judge_at(served.url, concurrency=1)
        found = []
        with pytest.raises(SondeError, match="shutting down") as caught:
            found.extend(judge.each(asked("1", "2", "3", "last", "4", "5", "6")))
        caught.match("3 of 7 answers had been judged")
        caught.match("run the same command again")
        assert [number for number, _ in found] == [0, 1, 2]
        # None was tried after the one that failed.
        assert not any("<answer>\n5" in text_of(body) for body in served.bodies)


def test_a_server_whose_process_ends_half_way_is_an_error():
    def respond(text):
        return ONE_DIGIT if "<answer>\nfirst" in text else Answer(stall=True)

    with serving(responding(respond)) as served:
        opinions = judge_at(served.url, concurrency=2).each(asked("first", "b", "c", "d", "e"))
        assert next(opinions)[1].score == pytest.approx(700 / 9)
        served.stop()
        with pytest.raises(SondeError, match=r"does not answer: .* 1 of 5 answers had been"):
            list(opinions)


def test_refusals_and_garbage_are_none_with_their_reason():
    def respond(text):
        if "too long" in text:
            return Answer(b"maximum context length is 2048", status=400)
        return b"<html>?</html>" if "odd" in text else ONE_DIGIT

    with serving(responding(respond)) as served:
        good, long, odd, empty = judge_at(served.url).score(asked("x", "too long", "odd", ""))
    assert good.score == pytest.approx(700 / 9)
    assert "refused the question: HTTP 400: maximum context" in long.reason
    assert "made no sense: it sent no chat completion" in odd.reason
    assert (long.score, long.mass, odd.score, odd.mass) == (None, None, None, None)
    assert (empty.score, empty.reason) == (0, "the answer is empty")


def test_a_model_that_never_answers_on_the_scale_is_no_judge():
    with serving(responding(lambda text: completion({"Hmm": 0.9, "5": 0.01}))) as served:
        judge = judge_at(served.url, concurrency=2)
        few = judge.score(asked(*"abc"))
        assert [one.score for one in few] == [None] * 3
        with pytest.raises(SondeError, match=f"none of its first {FIRST} answers: 1.0% of the"):
            judge.score(asked(*(f"answer {number}" for number in range(40))))


def test_what_is_no_chat_server_is_named_at_once():
    with (
        serving(lambda number, body: b"<html>A web page</html>") as served,
        pytest.raises(SondeError, match=r"a question of one line: .*web page"),
    ):
        judge_at(served.url).score(asked("x"))


def test_the_key_comes_from_the_environment(monkeypatch):
    with serving(responding(lambda text: ONE_DIGIT)) as served:
        judge = judge_at(served.url, api_key_env="SONDE_TEST_KEY")
        monkeypatch.delenv("SONDE_TEST_KEY", raising=False)
        with pytest.raises(SondeError, match="SONDE_TEST_KEY holds no key"):
            judge.score(asked("x"))
        monkeypatch.setenv("SONDE_TEST_KEY", "sk-1")
        judge.score(asked("x"))
    assert {one["Authorization"] for one in served.headers} == {"Bearer sk-1"}
    assert "sk-1" not in str(judge.key())


def listed(*models):
    return json.dumps({"object": "list", "data": list(models)}).encode()


def test_what_the_server_says_of_its_model_is_part_of_the_key(tmp_path):
    """The same address and name serve another model, whose opinions are its own."""
    sizes = {"now": 7}

    def models(number):
        meta = {"n_params": sizes["now"]}
        return listed({"id": "loaded.gguf", "created": number, "owned_by": "x", "meta": meta})

    path = tmp_path / "opinions.sqlite"
    with serving(responding(lambda text: ONE_DIGIT), models) as served:

        def ask():
            return CachedJudge(judge_at(served.url), path).score(asked("a", "b"))

        ask()
        assert len(served.bodies) == 3
        ask()
        assert len(served.bodies) == 3  # ``created`` has changed, which tells nothing
        sizes["now"] = 70
        ask()
        assert len(served.bodies) == 6
        judge = judge_at(served.url)
        assert judge.key()["served"]["meta"] == {"n_params": 70}
        judge.key()
    assert served.looked == ["/v1/models"] * 4  # once for each judge


@pytest.mark.parametrize(
    "models",
    [
        pytest.param(None, id="no such address"),
        pytest.param(lambda number: b"<html>?</html>", id="a page"),
        pytest.param(lambda number: b'{"data": 7}', id="no list"),
        pytest.param(lambda number: Answer(b"no", status=401), id="denied"),
        pytest.param(lambda number: listed({"id": "a"}, {"id": "b"}), id="others"),
    ],
)
def test_a_server_that_says_nothing_of_its_model_is_known_by_its_name(models):
    with serving(responding(lambda text: ONE_DIGIT), models) as served:
        assert "served" not in judge_at(served.url).key()
        assert judge_at(served.url).score(asked("x"))[0].score == pytest.approx(700 / 9)
    assert "served" not in judge_at(served.url).key()  # it is away


def test_a_server_that_is_busy_is_asked_for_its_model_again():
    def models(number):
        return Answer(b"loading", status=503) if number == 0 else listed({"id": "m", "root": "/w"})

    with serving(responding(lambda text: ONE_DIGIT), models) as served:
        assert judge_at(served.url).key()["served"] == {"id": "m", "root": "/w"}


def test_coherence_and_trait_are_asked_for_apart():
    with serving(responding(lambda text: ONE_DIGIT)) as served:
        judge_at(served.url, "coherence").score(asked("x"))
        judge_at(served.url, "trait").score(asked("x"))
    coherence, trait = (text_of(served.bodies[number]) for number in (1, 3))
    assert coherence.startswith("Judge how coherent")
    assert trait.startswith("Judge how strongly an answer shows a trait")
    url = f"http://127.0.0.1:{free_port()}/v1"
    assert judge_at(url, "coherence").key() != judge_at(url, "trait").key()


def test_a_rubric_of_ones_own():
    rubric = "Rate {answer} for {trait}. {ask}"
    with serving(responding(lambda text: ONE_DIGIT)) as served:
        judge_at(served.url, rubric=rubric).score(asked("x"))
    assert text_of(served.bodies[1]).startswith("Rate x for joy. Reply with one digit")
