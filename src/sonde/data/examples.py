"""An example: what a model is shown, with what is known about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint

Label: TypeAlias = float | str | tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt (a text, or the turns of a conversation), perhaps a response, and its labels.

    ``id`` is unique in its data set. ``group`` names what must stay on one side of a fold: a pair,
    a document, a person. ``label`` is a class, a number, or several numbers that are fitted
    together, such as latitude and longitude, whose names are ``label_names`` where they are known.
    ``row`` says where it was read from
    (``sentences.csv, row 12``), for error messages. ``plain`` marks a text that stands as it is
    where the others get the chat template.
    """

    id: str
    prompt: str | tuple[Message, ...]
    response: str | None = None
    group: str | None = None
    label: Label = None
    row: str = ""
    plain: bool = False
    label_names: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The file and row where known, else the id."""
        return self.row or f"example {self.id!r}"


def as_examples(data: Sequence[Example] | Sequence[str]) -> tuple[Example, ...]:
    """Accept plain texts where examples are expected: their ids are their numbers.

    Raises:
        SondeError: there is no example, one is neither a text nor an example, or two share an id.
    """
    if isinstance(data, str):
        raise SondeError("A single text was given where a list is expected.", fix="Write [text].")
    examples = tuple(_as_example(number, item) for number, item in enumerate(data))
    if not examples:
        raise SondeError("The data set is empty.", fix="Give at least one example.")
    seen: dict[str, int] = {}
    for number, example in enumerate(examples):
        first = seen.setdefault(example.id, number)
        if first != number:
            places = (examples[at].row or f"examples[{at}]" for at in (first, number))
            raise SondeError(
                f"Two examples share the id {example.id!r}: {' and '.join(places)}.",
                fix="Ids join activations with labels, so each must be unique.",
            )
    return examples


def _as_example(number: int, item: Example | str) -> Example:
    if isinstance(item, str):
        return Example(id=str(number), prompt=item, row=f"text {number}")
    if not isinstance(item, Example):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise SondeError(
            f"text {number} is neither a text nor an example: {str(item)[:80]}",
            fix='Give str, or Example(id="…", prompt="…").',
        )
    return item


def data_fingerprint(examples: Sequence[Example]) -> str:
    """Return 16 hex digits that change with any prompt, response, id, group, label or plain."""
    rows = [
        [
            example.id,
            example.prompt
            if isinstance(example.prompt, str)
            else [[turn.role, turn.content] for turn in example.prompt],
            example.response,
            example.group,
            example.label,
            example.plain,
        ]
        for example in examples
    ]
    return fingerprint(rows)
