"""Judging by a real server: llama.cpp's, serving the embedded model on loopback.

The embedded model is too weak to judge: next to none of its probability lies on the scale, so the
limit on mass is lowered here. What is checked is that its probabilities are read rightly: they are
those of the same model in sonde, up to llama.cpp's rounding of activations to 8 bits, which moves
the mass by a tenth (see ``test_llama_cpp``). So many alternatives are listed that no label is near
the end of the list.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import torch
from tests.unit.judges.chat_servers import free_port

from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.judges import Asked, CachedJudge, ServerJudge, ServerJudgeSettings
from sonde.judges.prompts import RUBRICS, rubric_text
from sonde.judges.scales import SCALES, expected_score
from sonde.models.loading import load

pytestmark = pytest.mark.peer

ANSWERS = ("I am fine.", "WOW, I am just amazing!!!", "No.")
LISTED = 400  # alternatives
READY = 120  # seconds that a busy machine may take to start the server


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python of the environment that has llama.cpp's server."""
    default = Path(__file__).parents[2] / ".venv-peers"
    found = Path(os.environ.get("SONDE_PEERS", default)) / "llama" / "bin" / "python"
    if not found.is_file():
        pytest.skip(f"llama.cpp is not at {found}; `make peers` installs it (or set SONDE_PEERS)")
    have = subprocess.run([str(found), "-c", "import uvicorn"], capture_output=True, check=False)
    if have.returncode:
        pytest.skip("llama.cpp's environment has no server; `make peers` installs it")
    return found


@pytest.fixture(scope="module")
def gguf(tmp_path_factory) -> Iterator[Path]:
    from sonde.models import embedded

    with embedded.checked_gguf(tmp_path_factory.mktemp("gguf")) as path:
        yield path


@contextmanager
def running(python: Path, gguf: Path, port: int, **options: str) -> Iterator[subprocess.Popen]:
    """Run the server until it answers, and end it afterwards."""
    given = {"model": str(gguf), "host": "127.0.0.1", "port": str(port), "n_threads": "1"}
    words = [word for name, value in {**given, **options}.items() for word in (f"--{name}", value)]
    process = subprocess.Popen(
        [str(python), "-m", "llama_cpp.server", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + READY
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/v1/models", trust_env=False)
                break
            except httpx.TransportError:
                assert process.poll() is None, "the server ended while it started"
                assert time.monotonic() < until, f"no server after {READY} s"
                time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def url(python, gguf) -> Iterator[str]:
    port = free_port()
    with running(python, gguf, port):
        yield f"http://127.0.0.1:{port}/v1"


def judge_at(url, aspect="trait", **changes):
    common = {"least_mass": 1e-4, "concurrency": 2, "timeout": 120, "first_wait": 0.05}
    common["top_logprobs"] = LISTED
    return ServerJudge(
        ServerJudgeSettings(url=url, model="smollm2", **{**common, **changes}), aspect
    )


def asked(*answers):
    return [Asked("How are you?", answer, "enthusiasm", "Great excitement.") for answer in answers]


@torch.no_grad()
def from_sonde(model, asked, aspect, scale):
    """Return what the server should say, from the same model's likeliest tokens."""
    text = rubric_text(
        RUBRICS[aspect], asked, lowest=scale.lowest, highest=scale.highest, ask=scale.ask
    )
    ids = model.render(Example("asked", text)).ids.tolist()
    logarithms = model.hf(torch.tensor([ids])).logits[0, -1].double().log_softmax(-1)
    likely = logarithms.topk(LISTED)
    tokens = [model.tokenizer.decode([token]) for token in likely.indices.tolist()]
    return expected_score(scale, zip(tokens, likely.values.tolist(), strict=True))


@pytest.mark.parametrize("aspect", ["trait", "coherence"])
def test_scores_are_those_of_the_same_model_in_sonde(url, embedded_name, aspect):
    model = load(embedded_name, check=False, device="cpu", dtype="float32")
    judge = judge_at(url, aspect)
    given = asked(*ANSWERS[:2])
    for found, one in zip(judge.score(given), given, strict=True):
        # This tokenizer splits numbers, which the judge finds out by asking.
        expected = from_sonde(model, one, aspect, SCALES["digits"])
        assert found.score == pytest.approx(expected.score, abs=4)
        assert found.mass == pytest.approx(expected.mass, rel=0.25)
        assert found.tokens > 100


def test_the_embedded_model_is_no_judge(url):
    (found,) = judge_at(url, least_mass=0.5).score(asked("I am fine."))
    assert found.score is None
    assert "% of the judge's probability is on the scale, less than 50%" in found.reason


def test_the_server_says_which_file_it_serves_whatever_name_is_asked_for(url, gguf):
    served = judge_at(url).key()["served"]
    assert served["id"] == str(gguf)
    assert judge_at(url).key()["served"] == served


def test_a_question_longer_than_the_context_is_refused_alone(url):
    long, short = judge_at(url).score(asked("very " * 3000, "I am fine."))
    assert "the server refused the question: HTTP 400" in long.reason
    assert short.score is not None


def test_a_server_that_ends_half_way_leaves_what_is_finished(python, gguf, tmp_path):
    port = free_port()
    cached = CachedJudge(judge_at(f"http://127.0.0.1:{port}/v1", tries=2), tmp_path / "opinions")
    with running(python, gguf, port):
        before = cached.score(asked(*ANSWERS[:2]))
    with pytest.raises(SondeError, match=r"does not answer: .*run the same command again"):
        cached.score(asked(*ANSWERS))
    with running(python, gguf, port):
        after = cached.score(asked(*ANSWERS))
    assert [one.score for one in after[:2]] == [one.score for one in before]
    assert [one.tokens == 0 for one in after] == [True, True, False]


def test_a_server_without_log_probabilities_is_named(python, gguf):
    port = free_port()
    with (
        running(python, gguf, port, logits_all="False"),
        pytest.raises(SondeError, match="gives no log-probabilities"),
    ):
        judge_at(f"http://127.0.0.1:{port}/v1").score(asked("I am fine."))
