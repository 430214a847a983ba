"""Scenarios: what a model is shown so that it does, or does not, show a trait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sonde.core.errors import SondeError
from sonde.data.examples import Example, Message
from sonde.data.labels import whole_text

Side: TypeAlias = Literal["positive", "negative"]
SIDES: tuple[Side, Side] = ("positive", "negative")
_KEYS = ("id", "prompt", "text", "system", "response", "group", "pair")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A user's message that brings a trait out (positive) or keeps it away (negative).

    ``system`` is a system message before it. ``response`` is an answer that is given rather than
    generated. Scenarios of one ``group`` belong together: a pair on the same topic.
    """

    id: str
    side: Side
    prompt: str
    system: str | None = None
    response: str | None = None
    group: str | None = None
    row: str = ""

    @property
    def where(self) -> str:
        """The file and row where known, else the id."""
        return self.row or f"scenario {self.id!r}"

    def example(self, response: str | None = None) -> Example:
        """Return it as an example that is labelled with its side, with this or its own response."""
        turns = (Message("system", self.system or ""), Message("user", self.prompt))
        return Example(
            id=self.id,
            prompt=self.prompt if self.system is None else turns,
            response=self.response if response is None else response,
            group=self.group,
            label=self.side,
            row=self.row,
        )


def scenario_of(side: Side, number: int, where: str, row: Mapping[str, Any]) -> Scenario:
    """Read a row of a side's file: ``prompt`` (or ``text``), perhaps ``system`` and ``response``.

    Raises:
        SondeError: the row has a key of another name, no prompt, or a value that is no text.
    """
    unknown = sorted(set(row) - set(_KEYS))
    if unknown:
        raise SondeError(
            f"{where} has {unknown[0]!r}, which is no key of a scenario.",
            fix="Write prompt, and where wanted system, response, id and group.",
        )
    prompt = text_at(row, ("prompt", "text"), where)
    if prompt is None:
        raise SondeError(f"{where} has no prompt.", fix='Write {"prompt": "…"} on each line.')
    return Scenario(
        id=text_at(row, ("id",), where) or f"{side}-{number}",
        side=side,
        prompt=prompt,
        system=text_at(row, ("system",), where),
        response=text_at(row, ("response",), where),
        group=text_at(row, ("group", "pair"), where),
        row=where,
    )


def text_at(row: Mapping[str, Any], keys: Sequence[str], where: str) -> str | None:
    """Return the text under the first key that the row has; None where it is empty or missing.

    Raises:
        SondeError: the value is neither a text nor a number.
    """
    value = next((row[key] for key in keys if row.get(key) is not None), None)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise SondeError(
            f"{where}: {keys[0]} is {str(value)[:60]!r}, which is no text.", fix="Write a text."
        )
    return whole_text(str(value), where) if str(value).strip() else None


def check_sides(scenarios: Sequence[Scenario], name: str) -> None:
    """Refuse scenarios that cannot tell the sides of a trait apart.

    Raises:
        SondeError: a side is empty; a scenario stands on both sides, or twice on one; two share
            an id.
    """
    for side in SIDES:
        if not any(one.side == side for one in scenarios):
            raise SondeError(
                f"The trait {name} has no {side} text.",
                fix=f"Write at least one for each side; {name} has {len(scenarios)} of the other.",
            )
    seen: dict[tuple[str | None, str, str | None], Scenario] = {}
    for one in scenarios:
        first = seen.setdefault((one.system, one.prompt.strip(), one.response), one)
        if first is one:
            continue
        places = f"{first.where} and {one.where}"
        if first.side != one.side:
            raise SondeError(
                f"The trait {name} has the same text on both sides: {places} "
                f"({one.prompt[:60]!r}).",
                fix="Keep it on the side that it belongs to, or change one of them.",
            )
        raise SondeError(
            f"The trait {name} has the same text twice on the {one.side} side: {places} "
            f"({one.prompt[:60]!r}).",
            fix="Remove one of them: folds must not share a text.",
        )
    ids: dict[str, Scenario] = {}
    for one in scenarios:
        first = ids.setdefault(one.id, one)
        if first is not one:
            raise SondeError(
                f"Two scenarios of the trait {name} share the id {one.id!r}: {first.where} and "
                f"{one.where}.",
                fix="Give each its own id, or none.",
            )
