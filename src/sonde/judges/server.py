"""A judge on an OpenAI-compatible server: the expected score over its answers' probabilities."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from threading import Event
from typing import Any
from weakref import finalize

from sonde.core.errors import SondeError
from sonde.judges.answer_form import AnswerForm, answer_form, expected_of
from sonde.judges.bill import Bill
from sonde.judges.chat_server import ChatServer, Pace, Patience, RefusedQuestion, Stopped
from sonde.judges.judge import Asked, Aspect, Opinion, nothing_to_judge
from sonde.judges.off_scale import OffScale, opinion_of
from sonde.judges.prompts import RUBRICS, rubric_text
from sonde.judges.replies import BadAnswer
from sonde.judges.served import served_model
from sonde.judges.settings import ServerJudgeSettings


@dataclass(slots=True, weakref_slot=True)
class ServerJudge:
    """Asks a server for the score of each answer, several at a time.

    One token is generated (more only where the model writes space first), and the score is the
    expected one over the listed probabilities of the scale's labels (``expected_score``).
    Connections, pace, cost and what the server says of its model are the judge's for its life.
    """

    settings: ServerJudgeSettings
    aspect: Aspect
    _bill: Bill = field(init=False, repr=False, compare=False)
    _off_scale: OffScale = field(default_factory=OffScale, init=False, repr=False, compare=False)
    _form: AnswerForm | None = field(default=None, init=False, repr=False, compare=False)
    _client: ChatServer | None = field(default=None, init=False, repr=False, compare=False)
    _served: tuple[Mapping[str, Any] | None] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        self._bill = Bill(self.settings)

    @property
    def name(self) -> str:
        """The model's name on the server."""
        return self.settings.model

    def key(self) -> Mapping[str, Any]:
        """Return the server, model, rubric and scale: what decides a score, not what it costs.

        ``served`` is what the server says of the model behind the name (``served_model``); it is
        asked once, and left out where it says nothing or is away.

        Raises:
            SondeError: the environment lacks the key of the server.
        """
        chosen = self.settings
        if self._served is None:
            said = self._server().models()
            self._served = (None if said is None else served_model(said, chosen.model),)
        (served,) = self._served
        return {
            "kind": "server",
            "url": chosen.url.rstrip("/"),
            "model": chosen.model,
            "rubric": self._rubric,
            "scale": chosen.scale,
            "top_logprobs": chosen.top_logprobs,
            "least_mass": chosen.least_mass,
            **({} if served is None else {"served": served}),
        }

    def has_scored(self) -> None:
        """Take note that the model can judge: it has given scores before."""
        self._off_scale.scored = True

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
        self._form = self._form or answer_form(self._server(), self.settings.scale)
        yield from self._in_threads(self._form, {one: asked[one] for one in full})

    def _in_threads(
        self, form: AnswerForm, asked: Mapping[int, Asked]
    ) -> Iterator[tuple[int, Opinion]]:
        server, stopped, done = self._server(), Event(), 0
        trouble: SondeError | None = None

        def opinion(one: Asked) -> Opinion:
            try:
                return self._opinion(server, form, one, stopped)
            except SondeError:
                stopped.set()  # here, so that this thread takes up no other
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
                        trouble = trouble or self._off_scale.after(found, self.name)
                    if trouble is not None:
                        _stop(stopped, pending)
            finally:
                _stop(stopped, pending)
        if trouble is not None:
            raise SondeError(
                f"{trouble.what} {done} of {len(asked)} answers had been judged.", fix=trouble.fix
            )

    def _opinion(
        self, server: ChatServer, form: AnswerForm, asked: Asked, stopped: Event
    ) -> Opinion:
        self._bill.check()
        scale = form.scale
        text = rubric_text(
            self._rubric, asked, lowest=scale.lowest, highest=scale.highest, ask=scale.ask
        )
        try:
            reply = server.ask(text, form.blanks + 1, stopped)
        except RefusedQuestion as error:
            return Opinion(None, reason=f"the server refused the question: {error}")
        except BadAnswer as error:
            return Opinion(None, reason=f"the server made no sense: {error}")
        return opinion_of(
            expected_of(reply, scale),
            self.settings.least_mass,
            said=reply.text,
            cost=self._bill.add(reply),
            tokens=reply.tokens_in + reply.tokens_out,
        )

    @property
    def _rubric(self) -> str:
        return self.settings.rubric or RUBRICS[self.aspect]

    def _server(self) -> ChatServer:
        if self._client is None:
            chosen = self.settings
            self._client = ChatServer(
                chosen.url,
                chosen.model,
                _key_in(chosen.api_key_env),
                Patience(chosen.timeout, chosen.tries, chosen.first_wait),
                Pace(chosen.requests_per_minute),
                chosen.top_logprobs,
            )
            finalize(self, self._client.close)
        return self._client


def _stop(stopped: Event, pending: Mapping[Future[Opinion], int]) -> None:
    stopped.set()
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
