"""Answers of an OpenAI-compatible server: the tokens of a chat completion, with alternatives."""

import json
from dataclasses import dataclass
from math import isnan
from typing import Any

from sonde.core.errors import SondeError

SHOWN = 160  # characters of a server's words
ABOVE_ZERO = 1e-3  # what rounding may make of a log-probability of 0


class BadAnswer(Exception):
    """What came back is no chat completion."""


@dataclass(frozen=True, slots=True)
class Token:
    """A generated token, and the likeliest ones in its place with their natural log-probability."""

    text: str
    alternatives: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """The text of an answer, its tokens, and how many tokens went in and came out."""

    text: str
    tokens: tuple[Token, ...]
    tokens_in: int
    tokens_out: int


def reply_of(read: bytes, url: str) -> Reply:
    """Read a chat completion.

    Raises:
        BadAnswer: it is none.
        SondeError: it is one without log-probabilities.
    """
    try:
        whole = json.loads(read)
        choice = whole["choices"][0]
        text = choice["message"]["content"] or ""
        if not isinstance(text, str):
            raise TypeError("content is no text")
        listed = (choice.get("logprobs") or {}).get("content")
        if not listed and text:
            raise no_log_probabilities(url, "its answer has no logprobs")
        tokens = tuple(map(_token, listed or ()))
        usage = whole.get("usage") or {}
        counts = (int(usage.get(key) or 0) for key in ("prompt_tokens", "completion_tokens"))
        return Reply(text, tokens, *counts)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise BadAnswer(
            f"it sent no chat completion ({type(error).__name__}): {shown(read)}"
        ) from None


def _token(item: Any) -> Token:
    text = str(item["token"])
    listed = [(str(one["token"]), float(one["logprob"])) for one in item.get("top_logprobs") or ()]
    # The token that was chosen is listed with the others, or is the only one that is known.
    if all(other != text for other, _ in listed):
        listed.append((text, float(item["logprob"])))
    if any(isnan(value) or value > ABOVE_ZERO for _, value in listed):
        raise ValueError("a log-probability is no number up to 0")
    return Token(text, tuple(listed))


def no_log_probabilities(url: str, said: str) -> SondeError:
    """Return the error that says so."""
    return SondeError(
        f"The judge's server {url} gives no log-probabilities ({said}).",
        fix="Choose a model or server that does (vLLM, llama.cpp with logits_all, hosted models "
        "with logprobs), or judge with kind: local or kind: rules.",
    )


def shown(read: bytes) -> str:
    """Return a server's words on one line, cut where they are long."""
    words = " ".join(read.decode("utf-8", "replace").split())
    return words if len(words) <= SHOWN else f"{words[:SHOWN]}…"
