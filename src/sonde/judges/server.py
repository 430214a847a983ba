"""A judge on an OpenAI-compatible server: the expected score over its answers' probabilities."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, field
from math import exp
from typing import Any, Literal

from sonde.core.errors import SondeError
from sonde.judges.chat_server import ChatServer, Pace, Patience, RefusedQuestion
from sonde.judges.judge import Asked, Aspect, Opinion, nothing_to_judge
from sonde.judges.off_scale import OffScale, opinion_of
from sonde.judges.prompts import RUBRICS, rubric_text
from sonde.judges.replies import BadAnswer, Reply, Token
from sonde.judges.scales import SCALES, Expected, Scale, ScaleName, expected_score
from sonde.judges.settings import ServerJudgeSettings

MILLION = 1_000_000
WRITE_73 = "Write the number 73 and nothing else."


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How a model answers: on which scale, and behind how many tokens of blank space."""

    scale: Scale
    blanks: int


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
        off_scale, spent, done = OffScale(self.name), 0.0, 0
        trouble: SondeError | None = None
        with ThreadPoolExecutor(self.settings.concurrency) as pool:
            pending: dict[Future[Opinion], int] = {
                pool.submit(self._opinion, server, form, one): number
                for number, one in asked.items()
            }
            try:
                for future in as_completed(pending):
                    if future.cancelled():
                        continue
                    try:
                        opinion = future.result()
                    except SondeError as error:
                        trouble = trouble or error
                    else:
                        yield pending[future], opinion
                        done, spent = done + 1, spent + opinion.cost
                        trouble = trouble or off_scale.after(opinion) or self._too_dear(spent)
                    if trouble is not None:
                        _stop(server, pending)
            finally:
                _stop(server, pending)
        if trouble is not None:
            raise SondeError(
                f"{trouble.what} {done} of {len(asked)} answers had been judged.", fix=trouble.fix
            )

    def _too_dear(self, spent: float) -> SondeError | None:
        most = self.settings.most_cost
        if most is None or spent < most:
            return None
        return SondeError(
            f"Judging has cost {spent:.4g}, and most_cost is {most:g}.",
            fix="Raise most_cost to go on; what the cache holds is not asked for twice.",
        )

    def _opinion(self, server: ChatServer, form: AnswerForm, asked: Asked) -> Opinion:
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
        cost = reply.tokens_in * self.settings.price_in + reply.tokens_out * self.settings.price_out
        return opinion_of(
            _expected(scale, reply),
            self.settings.least_mass,
            said=reply.text,
            cost=cost / MILLION,
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


def answer_form(server: ChatServer, scale: ScaleName | Literal["auto"] = "auto") -> AnswerForm:
    """Ask a server once how its model writes a number: in one token, digit by digit, or not.

    The finest scale is taken whose answers are single tokens: 0 to 100 where 73 is one token, else
    the digits 0 to 9, else the letters A to E.

    Raises:
        SondeError: see ``ChatServer.ask``.
    """
    try:
        reply = server.ask(WRITE_73, 4)
    except (RefusedQuestion, BadAnswer) as error:
        raise SondeError(
            f"The judge's server {server.url} does not answer a question of one line: {error}.",
            fix="Check that the URL is that of a chat model with an OpenAI-compatible API.",
        ) from None
    before, first = _past_blanks(reply)
    ranked = sorted(first.alternatives if first else (), key=lambda one: -one[1])
    numbers: dict[str, ScaleName] = {"73": "percent", "7": "digits"}
    seen: list[ScaleName] = [numbers[text.strip()] for text, _ in ranked if text.strip() in numbers]
    if scale != "auto":
        return AnswerForm(SCALES[scale], len(before))
    return AnswerForm(SCALES[seen[0] if seen else "letters"], len(before))


def _past_blanks(reply: Reply) -> tuple[list[Token], Token | None]:
    """Return the blank tokens that a reply begins with, and the first that is not blank."""
    before: list[Token] = []
    for token in reply.tokens:
        if token.text.strip():
            return before, token
        before.append(token)
    return before, None


def _expected(scale: Scale, reply: Reply) -> Expected:
    before, first = _past_blanks(reply)
    if first is None:
        return Expected(None, 0.0)
    found = expected_score(scale, first.alternatives)
    reached = exp(sum(min(0.0, dict(token.alternatives)[token.text]) for token in before))
    return Expected(found.score, found.mass * reached)


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
