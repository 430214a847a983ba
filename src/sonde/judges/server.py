"""A judge on an OpenAI-compatible server: the expected score over its answers' probabilities."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from sonde.core.errors import SondeError
from sonde.judges.answer_form import AnswerForm, answer_form, expected_of
from sonde.judges.chat_server import ChatServer, Pace, Patience, RefusedQuestion, Stopped
from sonde.judges.judge import Asked, Aspect, Opinion, nothing_to_judge
from sonde.judges.off_scale import OffScale, opinion_of
from sonde.judges.prompts import RUBRICS, rubric_text
from sonde.judges.replies import BadAnswer, Reply
from sonde.judges.settings import ServerJudgeSettings

MILLION = 1_000_000


class Bill:
    """What judging costs, over all threads, and the most that it may."""

    def __init__(self, settings: ServerJudgeSettings) -> None:
        self._prices = settings.price_in / MILLION, settings.price_out / MILLION
        self._most = settings.most_cost
        self._spent = 0.0
        self._lock = Lock()

    def add(self, reply: Reply) -> float:
        """Add the price of a reply and return it."""
        cost = reply.tokens_in * self._prices[0] + reply.tokens_out * self._prices[1]
        with self._lock:
            self._spent += cost
        return cost

    def check(self) -> None:
        """Refuse to go on where the most is spent.

        Raises:
            SondeError: it is; requests under way at that time are still paid.
        """
        if self._most is not None and self._spent >= self._most:
            raise SondeError(
                f"Judging has cost {self._spent:.4g}, and most_cost is {self._most:g}.",
                fix="Raise most_cost to go on; what the cache holds is not asked for twice.",
            )


@dataclass(slots=True)
class ServerJudge:
    """Asks a server for the score of each answer, several at a time.

    One token is generated (more only where the model writes space first), and the score is the
    expected one over the listed probabilities of the scale's labels (``expected_score``).
    """

    settings: ServerJudgeSettings
    aspect: Aspect
    _form: AnswerForm | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """The model's name on the server."""
        return self.settings.model

    def key(self) -> Mapping[str, Any]:
        """Return the server, model, rubric and scale: what decides a score, not what it costs."""
        chosen = self.settings
        return {
            "kind": "server",
            "url": chosen.url.rstrip("/"),
            "model": chosen.model,
            "rubric": self._rubric,
            "scale": chosen.scale,
            "top_logprobs": chosen.top_logprobs,
            "least_mass": chosen.least_mass,
        }

    def score(self, asked: Sequence[Asked]) -> list[Opinion]:
        """Return one opinion for each answer, in order.

        Raises:
            SondeError: see ``each``; opinions had before it are lost here, and kept by a cache.
        """
        found = dict(self.each(asked))
        return [found[number] for number in range(len(asked))]

    def each(self, asked: Sequence[Asked]) -> Iterator[tuple[int, Opinion]]:
        """Yield opinions with the numbers of their answers, as they come.

        Raises:
            SondeError: the server is away after all tries, denies access, does not know the model,
                gives no log-probabilities, or puts nothing on the scale; ``most_cost`` is spent.
        """
        full: list[int] = []
        for number, one in enumerate(asked):
            empty = nothing_to_judge(one)
            if empty is None:
                full.append(number)
            else:
                yield number, empty
        if not full:
            return
        with closing(self._server()) as server:
            self._form = self._form or answer_form(server, self.settings.scale)
            yield from self._in_threads(server, self._form, {one: asked[one] for one in full})

    def _in_threads(
        self, server: ChatServer, form: AnswerForm, asked: Mapping[int, Asked]
    ) -> Iterator[tuple[int, Opinion]]:
        bill, off_scale, done = Bill(self.settings), OffScale(self.name), 0
        trouble: SondeError | None = None

        def opinion(one: Asked) -> Opinion:
            try:
                return self._opinion(server, form, one, bill)
            except SondeError:
                server.stopped.set()  # here, so that this thread takes up no other
                raise

        with ThreadPoolExecutor(self.settings.concurrency) as pool:
            pending = {pool.submit(opinion, one): number for number, one in asked.items()}
            try:
                for future in as_completed(pending):
                    try:
                        found = future.result()
                    except (Stopped, CancelledError):
                        continue
                    except SondeError as error:
                        trouble = trouble or error
                    else:
                        done += 1
                        yield pending[future], found
                        trouble = trouble or off_scale.after(found)
                    if trouble is not None:
                        _stop(server, pending)
            finally:
                _stop(server, pending)
        if trouble is not None:
            raise SondeError(
                f"{trouble.what} {done} of {len(asked)} answers had been judged.", fix=trouble.fix
            )

    def _opinion(self, server: ChatServer, form: AnswerForm, asked: Asked, bill: Bill) -> Opinion:
        bill.check()
        scale = form.scale
        text = rubric_text(
            self._rubric, asked, lowest=scale.lowest, highest=scale.highest, ask=scale.ask
        )
        try:
            reply = server.ask(text, form.blanks + 1)
        except RefusedQuestion as error:
            return Opinion(None, reason=f"the server refused the question: {error}")
        except BadAnswer as error:
            return Opinion(None, reason=f"the server made no sense: {error}")
        return opinion_of(
            expected_of(reply, scale),
            self.settings.least_mass,
            said=reply.text,
            cost=bill.add(reply),
            tokens=reply.tokens_in + reply.tokens_out,
        )

    @property
    def _rubric(self) -> str:
        return self.settings.rubric or RUBRICS[self.aspect]

    def _server(self) -> ChatServer:
        chosen = self.settings
        return ChatServer(
            chosen.url,
            chosen.model,
            _key_in(chosen.api_key_env),
            Patience(chosen.timeout, chosen.tries, chosen.first_wait),
            Pace(chosen.requests_per_minute),
            chosen.top_logprobs,
        )


def _stop(server: ChatServer, pending: Mapping[Future[Opinion], int]) -> None:
    server.stopped.set()
    for future in pending:
        future.cancel()


def _key_in(variable: str | None) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "")
    if not key:
        raise SondeError(
            f"The environment variable {variable} holds no key for the judge's server.",
            fix=f"Set {variable}, or leave api_key_env out where the server wants none.",
        )
    return key
