"""The folder of a trait: what it is, texts that show it or don't, questions to steer on.

``positive.txt`` and ``negative.txt`` have a text on each line, ``definition.txt`` says in words
what the trait is, ``steering.json`` has the questions on which steering is tried: a list of them,
or an object whose ``questions`` is that list. Only the first two are needed to probe.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError
from sonde.data.tables import Row, read_rows

POSITIVE, NEGATIVE = "positive.txt", "negative.txt"
DEFINITION, STEERING = "definition.txt", "steering.json"


@dataclass(frozen=True, slots=True)
class Trait:
    """A trait as its folder describes it; what the folder lacks is empty."""

    name: str
    definition: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    questions: tuple[str, ...]


def is_trait(folder: Path) -> bool:
    """Say whether a folder is a trait's: it has texts of a side."""
    return (folder / POSITIVE).is_file() or (folder / NEGATIVE).is_file()


def read_trait(folder: str | Path) -> Trait:
    """Read the folder of a trait.

    Raises:
        SondeError: there is no such folder, a side is missing or empty, or the questions are not a
            list of texts.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise SondeError(f"{path} is not a folder.", fix="Give the folder of a trait.")
    sides = {name: tuple(row["text"] for _, row in _side(path, name)) for name in _SIDES}
    definition = path / DEFINITION
    return Trait(
        name=path.resolve().name,
        definition=definition.read_text(encoding="utf-8").strip() if definition.is_file() else "",
        positive=sides[POSITIVE],
        negative=sides[NEGATIVE],
        questions=_questions(path / STEERING),
    )


def trait_rows(folder: Path) -> Iterator[Row]:
    """Yield both sides of a trait as rows with ``id``, ``text``, ``label`` and ``group``.

    Where the sides have equally many texts, the texts of a number are a group: such files are
    mostly written pair by pair, and keeping a pair together is never wrong.

    Raises:
        SondeError: a side is missing or empty.
    """
    sides = {name: list(_side(folder, name)) for name in _SIDES}
    paired = len(sides[POSITIVE]) == len(sides[NEGATIVE])
    for name, rows in sides.items():
        label = name.removesuffix(".txt")
        for number, (where, row) in enumerate(rows, 1):
            group = str(number) if paired else ""
            yield where, {**row, "id": f"{label}-{number}", "label": label, "group": group}


_SIDES = (POSITIVE, NEGATIVE)


def _side(folder: Path, name: str) -> Iterator[Row]:
    """Yield the lines of a side that are not blank."""
    path = folder / name
    if not path.is_file():
        raise SondeError(
            f"The trait {folder} has no {name}.",
            fix=f"Write one text on each line of {POSITIVE} and of {NEGATIVE}.",
        )
    found = False
    for where, row in read_rows(path):
        if row["text"].strip():
            found = True
            yield where, row
    if not found:
        raise SondeError(f"{path} holds no text.", fix="Write one text on each line.")


def _questions(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    try:
        given: Any = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SondeError(
            f"{path} is not JSON: {error}.", fix="Write a list of questions."
        ) from None
    listed = given.get("questions") if isinstance(given, dict) else given
    if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in listed):
        raise SondeError(
            f"{path} holds no list of questions.",
            fix='Write ["How are you?", …], or {"questions": […]}.',
        )
    return tuple(listed)
