"""Where a chat template puts the contents of messages: exact spans of characters.

The template is rendered once with unique markers in place of the contents, which shows the literals
between them. The rendering of the real messages must then be those literals with the contents in
between; what differs is an error, never a guess.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sonde.core.errors import SondeError
from sonde.data.examples import Example, Message

# Llama 3 writes today's date into its system message unless it is given one. A rendering that
# changes overnight could not be resumed, so it is given the date that its documentation uses.
LLAMA_DATE = "26 Jul 2024"

# Templates that strip contents do it in one of these ways; the first that fits is the one.
_TRIMS: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    str.strip,
    str.lstrip,
    str.rstrip,
    lambda text: text.strip("\n"),
    lambda text: text.lstrip("\n"),
)

CharSpan: TypeAlias = tuple[int, int]
Variable: TypeAlias = str | bool | int | float


@dataclass(frozen=True, slots=True)
class Layout:
    """One rendered example, as text: half-open spans of characters of ``prompt + rest``.

    ``rest`` holds the response with what the template writes around it, and is empty without one.
    ``turns`` are the contents of the messages in order, the response last; ``user`` is the last
    user message; ``ends`` are the special tokens that close turns.
    """

    prompt: str
    rest: str
    user: CharSpan | None
    response: CharSpan | None
    turns: tuple[CharSpan, ...]
    ends: tuple[CharSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """The literals around the contents for one sequence of roles.

    ``order`` gives the message in each slot (a template may move the system message), ``ends`` the
    span, relative to the literal after each slot, of the special token that closes the turn there.
    """

    literals: tuple[str, ...]
    order: tuple[int, ...]
    ends: tuple[CharSpan | None, ...]


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A tokenizer's chat template with what was learnt about it."""

    tokenizer: Any
    variables: Mapping[str, Variable]
    special: re.Pattern[str]
    shapes: dict[tuple[tuple[str, ...], bool], Shape] = field(default_factory=dict)

    def lay_out(self, example: Example) -> Layout:
        """Render an example's messages and locate each content in the text.

        A prompt that is a text is one user message. Messages that end with an assistant turn have
        it as their response, unless the example has a response of its own.

        Raises:
            SondeError: a message is empty, the template refuses the messages, or its rendering is
                not the contents among constant literals.
        """
        messages, response = _split(example)
        _refuse_empty(messages, response, example)
        prompt = self._render(messages, example, ask=True)
        spans, ends = self._locate(messages, prompt, example, ask=True)
        user = next(
            (
                span
                for message, span in zip(reversed(messages), reversed(spans), strict=True)
                if message.role == "user"
            ),
            None,
        )
        if response is None:
            return Layout(prompt, "", user, None, tuple(spans), tuple(sorted(ends)))
        messages = (*messages, Message("assistant", response))
        whole = self._render(messages, example, ask=False)
        if not whole.startswith(prompt):
            raise SondeError(
                f"{example.where}: the chat template writes an answer differently from how it asks "
                f"for one, so the response does not follow the prompt (which ends "
                f"{prompt[-40:]!r}).",
                fix="Give the text before the response as the prompt, as the model saw it, and "
                "choose template: none.",
            )
        spans, ends = self._locate(messages, whole, example, ask=False)
        return Layout(
            prompt, whole[len(prompt) :], user, spans[-1], tuple(spans), tuple(sorted(ends))
        )

    def _render(self, messages: Sequence[Message], example: Example, *, ask: bool) -> str:
        from jinja2.exceptions import TemplateError  # settings are read without it

        try:
            return self.tokenizer.apply_chat_template(
                [{"role": message.role, "content": message.content} for message in messages],
                tokenize=False,
                add_generation_prompt=ask,
                **self.variables,
            )
        except TemplateError as error:
            roles = ", ".join(message.role for message in messages)
            raise SondeError(
                f"{example.where}: the model's chat template refuses messages with the roles "
                f"{roles}: {error}",
                fix="Where it refuses a system message, put its words before the user's; else "
                "change the roles, or choose template: none.",
            ) from None

    def _locate(
        self, messages: Sequence[Message], text: str, example: Example, *, ask: bool
    ) -> tuple[list[CharSpan], list[CharSpan]]:
        """Return the span of each message's content, and those of the tokens that close turns."""
        roles = tuple(message.role for message in messages)
        shape = self.shapes.get((roles, ask))
        if shape is None:
            shape = self.shapes[roles, ask] = self._analyse(roles, example, ask=ask)
        spans: list[CharSpan] = [(0, 0)] * len(messages)
        ends: list[CharSpan] = []
        at = len(shape.literals[0])
        fits = text.startswith(shape.literals[0])
        for slot, number in enumerate(shape.order):
            closing = shape.literals[slot + 1]
            size = _content_size(text, at, messages[number].content, closing)
            if size is None:
                fits = False
                break
            spans[number] = (at, at + size)
            at += size
            end = shape.ends[slot]
            if end is not None:
                ends.append((at + end[0], at + end[1]))
            at += len(closing)
        if not fits or at != len(text):
            raise SondeError(
                f"{example.where}: the model's chat template changes the messages (its text is "
                f"{text[:200]!r}), so the tokens of each message are not known.",
                fix="Remove what it treats specially (such as <think> in an answer), or render the "
                "text yourself and choose template: none.",
            )
        return spans, ends

    def _analyse(self, roles: tuple[str, ...], example: Example, *, ask: bool) -> Shape:
        markers = [f"sonde{number}marker{len(roles)}" for number in range(len(roles))]
        marked = [Message(role, marker) for role, marker in zip(roles, markers, strict=True)]
        text = self._render(marked, example, ask=ask)
        for role, marker in zip(roles, markers, strict=True):
            if text.count(marker) != 1:
                raise SondeError(
                    f"{example.where}: the model's chat template writes the {role} message "
                    f"{text.count(marker)} times, so its tokens are not known.",
                    fix="Leave that message out, or choose template: none.",
                )
        order = tuple(sorted(range(len(roles)), key=lambda number: text.index(markers[number])))
        literals = tuple(re.split("|".join(markers), text))
        openers = set(self.special.findall(self._header(marked, example)))
        ends = tuple(self._end(literal, openers) for literal in literals[1:])
        return Shape(literals, order, ends)

    def _header(self, marked: Sequence[Message], example: Example) -> str:
        """Return what the template writes to ask for an answer; what it holds opens turns."""
        messages = marked[:-1] if marked[-1].role == "assistant" else marked
        if not messages:
            return ""
        asked = self._render(messages, example, ask=True)
        plain = self._render(messages, example, ask=False)
        return asked[len(plain) :] if asked.startswith(plain) else ""

    def _end(self, literal: str, openers: set[str]) -> CharSpan | None:
        """Find the special token that closes the turn before a literal: the first in it."""
        first = self.special.search(literal)
        return None if first is None or first[0] in openers else first.span()


def special_tokens(tokenizer: Any) -> re.Pattern[str]:
    """Return a pattern that finds the tokenizer's added tokens, white space apart.

    Some vocabularies hold runs of spaces as added tokens; those never close a turn.
    """
    added = {token.content for token in tokenizer.added_tokens_decoder.values()}
    names = sorted((name for name in added if name.strip()), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, names)) if names else r"(?!)")


def template_variables(source: str, given: Mapping[str, Variable]) -> Mapping[str, Variable]:
    """Return the variables to render a template with: those given, and a fixed date for Llama 3."""
    if "strftime_now" in source and "date_string" in source:
        return {"date_string": LLAMA_DATE, **given}
    return given


def _split(example: Example) -> tuple[tuple[Message, ...], str | None]:
    """Return the messages before the response, and the response."""
    if isinstance(example.prompt, str):
        return (Message("user", example.prompt),), example.response
    messages = example.prompt
    if example.response is None and len(messages) > 1 and messages[-1].role == "assistant":
        return messages[:-1], messages[-1].content
    return messages, example.response


def _refuse_empty(messages: Sequence[Message], response: str | None, example: Example) -> None:
    if not messages:
        raise SondeError(f"{example.where} has no message.", fix="Leave the row out.")
    for number, message in enumerate(messages):
        if not message.content.strip():
            name = "the text" if len(messages) == 1 else f"message {number} ({message.role})"
            raise SondeError(f"{example.where}: {name} is empty.", fix="Leave the row out.")
    if response is not None and not response.strip():
        raise SondeError(
            f"{example.where}: the response is empty.", fix="Leave the response out, or the row."
        )


def _content_size(text: str, at: int, content: str, closing: str) -> int | None:
    for trim in _TRIMS:
        written = trim(content)
        if text.startswith(written, at) and text.startswith(closing, at + len(written)):
            return len(written)
    return None
