"""The folder of a trait: what it is, texts that show it or don't, questions to steer on.

``positive.txt`` and ``negative.txt`` have a text on each line (a user's message, or for probing
any text); ``positive.jsonl`` and ``negative.jsonl`` may add a system message or a response to each.
Instead of both sides there may be ``contrast_pairs.csv`` (or ``.jsonl``): prompts with a response
of either side. ``definition.txt`` says in words what the trait is; ``steering.json`` has the
questions on which steering is tried, a list of them or an object whose ``questions`` is that list;
``rule.json`` says by which words an answer is judged. Only the sides are needed to probe.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError, nearest
from sonde.core.files import fingerprint
from sonde.data.scenarios import SIDES, Scenario, Side, check_sides
from sonde.data.sets import shipped_trait, shipped_traits
from sonde.data.tables import Row
from sonde.data.trait_files import (
    PAIR_ENDINGS,
    has_side,
    pair_file,
    read_definition,
    read_pairs,
    read_rule_json,
    read_sides,
    read_steering,
)


@dataclass(frozen=True, slots=True)
class Trait:
    """A trait as its folder describes it; what the folder lacks is empty.

    ``positive`` and ``negative`` are the texts of the sides: prompts, or of contrast pairs the
    responses. ``scenarios`` are the same with all that is known about each, positive ones first;
    where none are given, they are made of the texts. ``instruction`` asks for the trait in words.
    ``rule`` is what ``rule.json`` holds.

    Raises:
        SondeError: a side is empty, or a text stands on both sides or twice on one.
    """

    name: str
    definition: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    questions: tuple[str, ...]
    scenarios: tuple[Scenario, ...] = ()
    instruction: str = ""
    rule: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if not self.scenarios:
            object.__setattr__(self, "scenarios", _of_texts(self.positive, self.negative))
        check_sides(self.scenarios, self.name)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with anything that the trait says but where it was read."""
        scenarios = [
            [one.id, one.side, one.prompt, one.system, one.response, one.group]
            for one in self.scenarios
        ]
        words = [self.name, self.definition, self.instruction, list(self.questions)]
        return fingerprint([words, scenarios, dict(self.rule) if self.rule else None])


def is_trait(folder: Path) -> bool:
    """Say whether a folder is a trait's: it has texts of a side, or contrast pairs."""
    return has_side(folder) or pair_file(folder) is not None


def read_trait(source: str | Path) -> Trait:
    """Read a trait: its folder, a file of contrast pairs, or the name of one that sonde ships.

    Raises:
        SondeError: there is no such folder, file or name; a side is missing or empty; a text stands
            on both sides, or twice on one; the questions are not a list of texts.
    """
    path = trait_path(source)
    if path.is_file():
        return _trait(path.stem, read_pairs(path))
    steering = read_steering(path)
    return _trait(
        path.resolve().name,
        _scenarios(path),
        definition=read_definition(path),
        questions=steering.questions,
        instruction=steering.instruction,
        rule=read_rule_json(path),
    )


def trait_path(source: str | Path) -> Path:
    """Return where a trait lies: a folder or file that exists, else a shipped trait's folder.

    Raises:
        SondeError: there is neither.
    """
    path = Path(source).expanduser()
    if path.is_file() and path.suffix.lower() not in PAIR_ENDINGS:
        raise SondeError(
            f"{path} is not a folder, and not a file of contrast pairs.",
            fix=f"Give the folder of a trait, or pairs in a file ending in "
            f"{', '.join(PAIR_ENDINGS)}.",
        )
    if path.exists():
        return path
    if str(source) in shipped_traits():
        return shipped_trait(str(source))
    hint = nearest(str(source), shipped_traits())
    raise SondeError(
        f"{path} is not a folder, and no trait of that name comes with sonde.{hint}",
        fix=f"Give the folder of a trait, or one of {', '.join(shipped_traits())}.",
    )


def trait_rows(folder: Path) -> Iterator[Row]:
    """Yield both sides of a trait as rows: ``id``, ``text``, ``response``, ``label``, ``group``.

    ``text`` is a list of messages where a scenario has a system message. The group is empty where
    the scenario has none; see ``read_sides``.

    Raises:
        SondeError: a side is missing or empty, or a text stands on both sides or twice on one.
    """
    scenarios = _scenarios(folder)
    check_sides(scenarios, folder.name)
    for one in scenarios:
        turns = [
            {"role": "system", "content": one.system},
            {"role": "user", "content": one.prompt},
        ]
        yield (
            one.where,
            {
                "id": one.id,
                "text": one.prompt if one.system is None else turns,
                "response": one.response,
                "label": one.side,
                "group": one.group or "",
            },
        )


def _scenarios(folder: Path) -> tuple[Scenario, ...]:
    pairs = pair_file(folder)
    if pairs is None:
        return read_sides(folder)
    if has_side(folder):
        raise SondeError(
            f"The trait {folder} has {pairs.name} and texts of a side.",
            fix="Keep the contrast pairs or both sides.",
        )
    return read_pairs(pairs)


def _trait(name: str, scenarios: tuple[Scenario, ...], **rest: Any) -> Trait:
    def texts(side: Side) -> tuple[str, ...]:
        return tuple(_text(one) for one in scenarios if one.side == side)

    words = {"definition": "", "questions": (), **rest}
    return Trait(
        name=name,
        positive=texts("positive"),
        negative=texts("negative"),
        scenarios=scenarios,
        **words,
    )


def _text(scenario: Scenario) -> str:
    """Return what makes it of its side: a contrast pair's prompt is the same on both."""
    return scenario.prompt if scenario.response is None else scenario.response


def _of_texts(positive: tuple[str, ...], negative: tuple[str, ...]) -> tuple[Scenario, ...]:
    paired = len(positive) == len(negative)
    return tuple(
        Scenario(f"{side}-{number}", side, text, group=str(number) if paired else None)
        for side, texts in zip(SIDES, (positive, negative), strict=True)
        for number, text in enumerate(texts, 1)
    )
