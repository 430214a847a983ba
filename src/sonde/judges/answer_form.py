"""How a model on a server writes a score: on which scale, and behind how much blank space."""

from dataclasses import dataclass
from math import exp
from typing import Literal

from sonde.core.errors import SondeError
from sonde.judges.chat_server import ChatServer, RefusedQuestion
from sonde.judges.replies import BadAnswer, Reply, Token
from sonde.judges.scales import SCALES, Expected, Scale, ScaleName, expected_score

WRITE_73 = "Write the number 73 and nothing else."


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """How a model answers: on which scale, and behind how many tokens of blank space."""

    scale: Scale
    blanks: int


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


def expected_of(reply: Reply, scale: Scale) -> Expected:
    """Return the expected score at the first token that is not blank; see ``expected_score``.

    The mass is that of the labels there, times the chance of the blanks before.
    """
    before, first = _past_blanks(reply)
    if first is None:
        return Expected(None, 0.0)
    found = expected_score(scale, first.alternatives)
    reached = exp(sum(min(0.0, dict(token.alternatives)[token.text]) for token in before))
    return Expected(found.score, found.mass * reached)


def _past_blanks(reply: Reply) -> tuple[list[Token], Token | None]:
    """Return the blank tokens that a reply begins with, and the first that is not blank."""
    before: list[Token] = []
    for token in reply.tokens:
        if token.text.strip():
            return before, token
        before.append(token)
    return before, None
