"""One request at a time against servers that fail, stall, truncate and return garbage."""

import pytest
from tests.unit.judges.chat_servers import Answer, completion, free_port, serving

from sonde.core.errors import SondeError
from sonde.judges.chat_server import ChatServer, Pace, Patience, RefusedQuestion
from sonde.judges.replies import BadAnswer

GOOD = completion({"7": 0.9, "8": 0.1}, usage=(50, 1))
PATIENT = Patience(timeout=30, tries=3, first_wait=0.01)
HASTY = Patience(timeout=0.4, tries=3, first_wait=0.01)


def ask(url, patience=PATIENT, **changes):
    server = ChatServer(url, "a-model", patience=patience, **changes)
    try:
        return server.ask("How much?", 1)
    finally:
        server.close()


def first_then_good(answer):
    return lambda number, body: answer if number == 0 else GOOD


def test_asks_for_probabilities_of_one_greedy_token_and_reads_them():
    with serving(lambda number, body: GOOD) as served:
        reply = ask(served.url, api_key="secret", top_logprobs=7)
    assert served.bodies == [
        {
            "model": "a-model",
            "messages": [{"role": "user", "content": "How much?"}],
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": 7,
        }
    ]
    assert served.headers[0]["Authorization"] == "Bearer secret"
    assert reply.text == "7"
    assert (reply.tokens_in, reply.tokens_out) == (50, 1)
    assert dict(reply.tokens[0].alternatives) == pytest.approx(
        {"7": -0.10536, "8": -2.30259}, abs=1e-5
    )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(b"busy", status=429), id="busy"),
        pytest.param(Answer(b"busy", status=429, headers={"Retry-After": "0"}), id="busy, says so"),
        pytest.param(Answer(b"oops", status=500), id="fails"),
        pytest.param(Answer(GOOD, cut=True), id="truncates"),
        pytest.param(Answer(b"<html>Sorry</html>"), id="a page"),
        pytest.param(Answer(b"\x00\xff\xfe"), id="bytes"),
        pytest.param(Answer(b"null"), id="null"),
        pytest.param(Answer(b'{"choices": []}'), id="no choice"),
        pytest.param(Answer(b'{"choices": [{"message": {"content": 7}}]}'), id="a number"),
        pytest.param(Answer(GOOD.replace(b"-0.1", b"0.1")), id="a probability above 1"),
        pytest.param(Answer(GOOD.replace(b"-0.1", b'"NaN"#')), id="no JSON"),
    ],
)
def test_one_bad_moment_is_got_over(answer):
    with serving(first_then_good(answer)) as served:
        assert ask(served.url).text == "7"
    assert len(served.bodies) == 2


@pytest.mark.parametrize("answer", [Answer(stall=True), Answer(GOOD, drip=0.02)])
def test_a_stalled_request_is_given_up_and_made_again(answer):
    # On a busy machine a good answer may come too late as well, so there are tries to spare.
    with serving(first_then_good(answer)) as served:
        patience = Patience(timeout=0.4, tries=20, first_wait=0.01)
        assert ask(served.url, patience).text == "7"
    assert len(served.bodies) >= 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(b"overloaded", status=503), r"does not answer: HTTP 503: overloaded \(3 tries\)"),
        (Answer(stall=True), r"no answer in time \(ReadTimeout\)"),
        (Answer(GOOD, drip=0.02), "it was not done after 0.4 s|no answer in time"),
        (Answer(GOOD, cut=True), "peer closed connection"),
    ],
)
def test_a_server_that_stays_away_is_an_error_to_run_again(answer, said):
    with serving(lambda number, body: answer) as served, pytest.raises(SondeError) as caught:
        ask(served.url, HASTY if answer.stall or answer.drip else PATIENT)
    caught.match(said)
    caught.match("run the same command again")


def test_nobody_at_the_address_is_an_error():
    with pytest.raises(SondeError, match=r"does not answer: .*refused"):
        ask(f"http://127.0.0.1:{free_port()}/v1")


def test_constant_garbage_is_no_answer_to_this_question():
    with (
        serving(lambda number, body: b"<html>hello</html>") as served,
        pytest.raises(BadAnswer, match=r"no chat completion .*<html>hello"),
    ):
        ask(served.url)
    assert len(served.bodies) == 3


def test_an_endless_answer_is_cut_off():
    endless = Answer(b"x" * ((1 << 22) + 1))
    with serving(lambda number, body: endless) as served, pytest.raises(BadAnswer, match="4 MB"):
        ask(served.url)


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (401, b"no key", SondeError, "denies access .*api_key_env"),
        (403, b"not you", SondeError, "denies access"),
        (404, b"no such model", SondeError, "knows no such address or model .*up to and with /v1"),
        (400, b"logprobs is not supported", SondeError, "gives no log-probabilities"),
        (500, b"logprobs is not supported", SondeError, "gives no log-probabilities"),
        (400, b"maximum context length", RefusedQuestion, "HTTP 400: maximum context length"),
        (302, b"elsewhere", RefusedQuestion, "HTTP 302"),
    ],
)
def test_a_refusal_is_not_asked_again(status, body, kind, said):
    with (
        serving(lambda number, _: Answer(body, status=status)) as served,
        pytest.raises(kind, match=said),
    ):
        ask(served.url, api_key="secret")
    assert len(served.bodies) == 1


def test_no_message_holds_the_key():
    with (
        serving(lambda number, body: Answer(b"no", status=401)) as served,
        pytest.raises(SondeError) as caught,
    ):
        ask(served.url, api_key="sk-12345")
    assert "12345" not in str(caught.value)
    assert "12345" not in repr(ChatServer(served.url, "m", "sk-12345"))


def test_a_server_without_log_probabilities_is_named():
    bare = b'{"choices": [{"message": {"content": "7"}, "logprobs": null}]}'
    with (
        serving(lambda number, body: bare) as served,
        pytest.raises(SondeError, match=r"gives no log-probabilities .*kind: local or kind: rules"),
    ):
        ask(served.url)
    assert len(served.bodies) == 1


def test_pace_spreads_requests_evenly():
    clock = iter([10.0, 10.0, 10.05, 10.5, 10.5])
    pace = Pace(per_minute=600, clock=lambda: next(clock))
    waits = [pace.seconds_to_wait() for _ in range(5)]
    # By hand: places at 10.0, 10.1, 10.2; then late at 10.5, and 10.6.
    assert waits == pytest.approx([0, 0.1, 0.15, 0, 0.1])
    assert [Pace(None).seconds_to_wait() for _ in range(3)] == [0, 0, 0]
