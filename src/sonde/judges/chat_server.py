"""A client of an OpenAI-compatible server: one question, one short answer with its probabilities.

What a server may do is sorted here: it may be away or busy (tried again, then an error to run again
later), refuse a question, answer what is no answer, or lack log-probabilities.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

import httpx

from sonde.core.errors import SondeError
from sonde.judges.replies import BadAnswer, Reply, no_log_probabilities, reply_of, shown

BUSY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
DENIED = frozenset({401, 403})
LONGEST_ANSWER = 1 << 22  # bytes
LONGEST_WAIT = 60.0  # seconds, whatever a server asks for
LONGEST_LOOK = 10.0  # seconds to say which models there are


class Stopped(SondeError):
    """The judging ended for another reason while this request waited."""


class RefusedQuestion(Exception):
    """The server refuses this question: too long, or not allowed."""


class _AwayError(Exception):
    """The server cannot be reached, or is busy; ``wait`` is how long it asks to be left alone."""

    def __init__(self, said: str, wait: float | None = None) -> None:
        super().__init__(said)
        self.wait = wait


class _BusyError(_AwayError):
    """The server is there, and says to come again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often to try: seconds for one request, tries, seconds before the second."""

    timeout: float = 60.0
    tries: int = 5
    first_wait: float = 1.0


class Pace:
    """Lets requests begin no more often than so many a minute, over all threads."""

    def __init__(
        self, per_minute: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = Lock()

    def seconds_to_wait(self) -> float:
        """Take the next free place in time; return how far away it is."""
        with self._lock:
            now = self._clock()
            begin = max(now, self._next)
            self._next = begin + self._gap
        return begin - now


@dataclass(slots=True)
class ChatServer:
    """A server, the model on it, and how to ask, with its connections. Threads may share it.

    ``api_key`` is sent as a bearer token and stands in no message.
    """

    url: str
    model: str
    api_key: str = field(default="", repr=False)
    patience: Patience = Patience()
    pace: Pace = field(default_factory=lambda: Pace(None))
    top_logprobs: int = 20
    _client: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        host = urlsplit(self.url).hostname or ""
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        local = host in ("localhost", "127.0.0.1", "::1")
        # A proxy from the environment is for the world outside.
        self._client = httpx.Client(
            headers=headers, timeout=self.patience.timeout, trust_env=not local
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, text: str, max_tokens: int, stopped: Event | None = None) -> Reply:
        """Ask one question; try again while the server is away, busy or makes no sense.

        Raises:
            Stopped: ``stopped`` was set before there was an answer.
            RefusedQuestion: the server refuses this question.
            BadAnswer: every answer was no chat completion.
            SondeError: the server is away, denies access, does not know the model, or gives no
                log-probabilities.
        """
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": max_tokens,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": self.top_logprobs,
        }
        trouble: Exception | None = None
        wait, stopped = 0.0, stopped or Event()
        for attempt in range(self.patience.tries):
            if stopped.wait(wait + self.pace.seconds_to_wait()):
                raise Stopped("Judging was stopped.")
            try:
                read = self._send("POST", "chat/completions", body, within=self.patience.timeout)
                return reply_of(read, self.url)
            except (_AwayError, BadAnswer) as error:
                trouble = error
                asked_for = error.wait if isinstance(error, _AwayError) else None
                wait = self._backoff(attempt) if asked_for is None else asked_for
        if isinstance(trouble, BadAnswer):
            raise trouble
        raise SondeError(
            f"The judge's server {self.url} does not answer: {trouble} "
            f"({self.patience.tries} tries).",
            fix="Check that it runs and run the same command again; what the cache holds is not "
            "asked for twice.",
        )

    def models(self) -> bytes | None:
        """Return what the server says of its models; None where it says nothing of them."""
        for attempt in range(self.patience.tries):
            try:
                return self._send("GET", "models", within=min(self.patience.timeout, LONGEST_LOOK))
            except _BusyError:
                time.sleep(self._backoff(attempt))
            except (_AwayError, RefusedQuestion, BadAnswer, SondeError):
                return None
        return None

    def _backoff(self, attempt: int) -> float:
        """Return twice the seconds each time, with a random part so that threads spread."""
        return min(LONGEST_WAIT, self.patience.first_wait * 2**attempt) * random.uniform(0.5, 1)  # noqa: S311

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, within: float
    ) -> bytes:
        """Return the body of a good answer, read within the time and size allowed."""
        until = time.monotonic() + within
        url = f"{self.url.rstrip('/')}/{path}"
        with (
            _sorted_troubles(),
            self._client.stream(method, url, json=body, timeout=within) as answer,
        ):
            read = bytearray()
            for piece in answer.iter_bytes():
                read += piece
                if len(read) > LONGEST_ANSWER:
                    raise BadAnswer(f"it sent more than {LONGEST_ANSWER >> 20} MB")
                if time.monotonic() > until:
                    raise _AwayError(f"it was not done after {within:g} s")
            self._check_status(answer, bytes(read))
        return bytes(read)

    def _check_status(self, answer: httpx.Response, read: bytes) -> None:
        status = answer.status_code
        if status == httpx.codes.OK:
            return
        said = f"HTTP {status}: {shown(read)}"
        # Some servers say with a 500 that they cannot, which trying again does not mend.
        if "logprobs" in said.lower():
            raise no_log_probabilities(self.url, said)
        if status in BUSY:
            raise _BusyError(said, _retry_after(answer.headers.get("retry-after", "")))
        if status in DENIED:
            raise SondeError(
                f"The judge's server {self.url} denies access ({said}).",
                fix="Set the environment variable that api_key_env names to a valid key.",
            )
        if status == httpx.codes.NOT_FOUND:
            raise SondeError(
                f"The judge's server {self.url} knows no such address or model "
                f"({self.model!r}; {said}).",
                fix="Write the URL up to and with /v1, and the model as the server names it.",
            )
        raise RefusedQuestion(said)


@contextmanager
def _sorted_troubles() -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise _AwayError(f"no answer in time ({type(error).__name__})") from None
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise _AwayError(str(error) or type(error).__name__) from None
    except httpx.InvalidURL as error:
        raise SondeError(f"The judge's URL is not valid: {error}.") from None


def _retry_after(header: str) -> float | None:
    """Return the seconds that a server asks for; its other form, a date, counts as not said."""
    try:
        return min(LONGEST_WAIT, max(0.0, float(header)))
    except ValueError:
        return None
