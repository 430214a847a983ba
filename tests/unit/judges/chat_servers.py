"""HTTP servers on loopback that answer as chat servers do, and as they should not."""

import json
import math
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any

Alternatives = Mapping[str, float]  # probabilities by token


def completion(*tokens: Alternatives, usage: tuple[int, int] = (100, 1)) -> bytes:
    """Return a chat completion that chose the likeliest token each time."""
    content = [
        {
            "token": max(token, key=token.__getitem__),
            "logprob": math.log(max(token.values())),
            "top_logprobs": [
                {"token": text, "logprob": math.log(chance)} for text, chance in token.items()
            ],
        }
        for token in tokens
    ]
    text = "".join(item["token"] for item in content)
    whole = {
        "choices": [{"message": {"content": text}, "logprobs": {"content": content}}],
        "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]},
    }
    return json.dumps(whole).encode()


@dataclass(frozen=True)
class Answer:
    """What a server does with a request: a body, perhaps cut or slow, or nothing at all."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False  # promise more bytes than come
    stall: bool = False  # take the request and say nothing
    drip: float = 0.0  # seconds between bytes


@dataclass
class Served:
    """A server that runs: its address, what it was asked, and how to end it."""

    url: str
    bodies: list[dict[str, Any]]
    headers: list[Mapping[str, str]]
    stop: Callable[[], None]
    busiest: Callable[[], int]
    looked: list[str]  # the addresses of requests that ask nothing of a model


@contextmanager
def serving(
    respond: Callable[[int, dict[str, Any]], Answer | bytes],
    models: Callable[[int], Answer | bytes] | None = None,
) -> Iterator[Served]:
    """Run a server; ``respond`` gets the number of the request, from 0, and what it asks.

    ``models`` says what models there are, by the number of that request; none knows no such
    address.
    """
    ended, lock = Event(), Lock()
    bodies: list[dict[str, Any]] = []
    headers: list[Mapping[str, str]] = []
    at_once = {"now": 0, "most": 0}
    looked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            looked.append(self.path)
            if models is None or self.path != "/v1/models":
                self._send(Answer(b"no such page", status=404))
            else:
                given = models(len(looked) - 1)
                self._send(Answer(given) if isinstance(given, bytes) else given)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(bodies)
                bodies.append(body)
                headers.append(dict(self.headers))
                at_once["now"] += 1
                at_once["most"] = max(at_once["most"], at_once["now"])
            try:
                given = respond(number, body)
                self._send(Answer(given) if isinstance(given, bytes) else given)
            finally:
                with lock:
                    at_once["now"] -= 1

        def _send(self, answer: Answer) -> None:
            if answer.stall:
                ended.wait(30)
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) + 100 * answer.cut))
            self.end_headers()
            pieces: Sequence[bytes] = [answer.body]
            if answer.drip:
                pieces = [answer.body[at : at + 1] for at in range(len(answer.body))]
            for piece in pieces:
                self.wfile.write(piece)
                if ended.wait(answer.drip):
                    return

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda request, client: None  # a client that hung up is no news
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def stop() -> None:
        ended.set()
        server.shutdown()
        server.server_close()

    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield Served(url, bodies, headers, stop, lambda: at_once["most"], looked)
    finally:
        stop()


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
