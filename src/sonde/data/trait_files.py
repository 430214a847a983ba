"""The files of a trait's folder, each read and checked: sides, contrast pairs, questions, rule."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError
from sonde.data.scenarios import SIDES, Scenario, Side, scenario_of, text_at
from sonde.data.tables import read_rows

DEFINITION, STEERING, RULE = "definition.txt", "steering.json", "rule.json"
SIDE_ENDINGS = (".txt", ".jsonl")
PAIRS = "contrast_pairs"
PAIR_ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True, slots=True)
class Steering:
    """What ``steering.json`` says: the questions to steer on, and the trait as an instruction."""

    questions: tuple[str, ...] = ()
    instruction: str = ""


def pair_file(folder: Path) -> Path | None:
    """Return the folder's file of contrast pairs, if it has one."""
    found = (folder / f"{PAIRS}{ending}" for ending in PAIR_ENDINGS)
    return next((path for path in found if path.is_file()), None)


def has_side(folder: Path) -> bool:
    """Say whether a folder has texts of a side."""
    return any((folder / f"{side}{ending}").is_file() for side in SIDES for ending in SIDE_ENDINGS)


def read_sides(folder: Path) -> tuple[Scenario, ...]:
    """Read ``positive`` and ``negative``, each with the ending ``.txt`` or ``.jsonl``.

    Where no scenario names its group and the sides have equally many, the texts of a number are a
    group: such files are mostly written pair by pair, and keeping a pair together is never wrong.

    Raises:
        SondeError: a side is missing, empty, or there twice with two endings.
    """
    sides = {side: tuple(_side(folder, side)) for side in SIDES}
    named = any(one.group is not None for side in sides.values() for one in side)
    if not named and len({len(side) for side in sides.values()}) == 1:
        sides = {
            side: tuple(replace(one, group=str(number)) for number, one in enumerate(found, 1))
            for side, found in sides.items()
        }
    return tuple(one for side in sides.values() for one in side)


def _side(folder: Path, side: Side) -> Iterator[Scenario]:
    """Yield the scenarios of a side's lines that are not blank."""
    found = [path for end in SIDE_ENDINGS if (path := folder / f"{side}{end}").is_file()]
    if len(found) > 1:
        raise SondeError(
            f"The trait {folder} has {' and '.join(path.name for path in found)}.",
            fix="Keep one of them.",
        )
    if not found:
        raise SondeError(
            f"The trait {folder} has no {side}.txt.",
            fix="Write one text on each line of positive.txt and of negative.txt.",
        )
    number = 0
    for where, row in read_rows(found[0]):
        if found[0].suffix == ".txt" and not row["text"].strip():
            continue
        number += 1
        yield scenario_of(side, number, where, row)
    if not number:
        raise SondeError(f"{found[0]} holds no text.", fix="Write one text on each line.")


def read_pairs(path: Path) -> tuple[Scenario, ...]:
    """Read contrast pairs: each row has ``prompt``, ``positive`` and ``negative``, two answers.

    ``system``, ``id`` and ``group`` may be there too. A pair is a group of its own unless it names
    one. Rows give two scenarios each, whose responses are given.

    Raises:
        SondeError: a row lacks one of the three, its answers are the same, or there is no row.
    """
    found: list[Scenario] = []
    for number, (where, row) in enumerate(read_rows(path), 1):
        parts = {key: text_at(row, (key,), where) for key in ("prompt", *SIDES)}
        lacking = [key for key, text in parts.items() if text is None]
        if lacking:
            raise SondeError(
                f"{where} has no {lacking[0]}.",
                fix="A contrast pair has a prompt, a positive and a negative response.",
            )
        if parts["positive"] == parts["negative"]:
            raise SondeError(
                f"{where} has the same response on both sides: {str(parts['positive'])[:60]!r}.",
                fix="Write a positive response that shows the trait and a negative one that "
                "does not.",
            )
        name = text_at(row, ("id",), where) or str(number)
        for side in SIDES:
            found.append(
                Scenario(
                    id=f"{side}-{name}",
                    side=side,
                    prompt=str(parts["prompt"]),
                    system=text_at(row, ("system",), where),
                    response=parts[side],
                    group=text_at(row, ("group", "pair"), where) or name,
                    row=where,
                )
            )
    if not found:
        raise SondeError(f"{path} holds no contrast pair.", fix="Write at least one row.")
    return tuple(sorted(found, key=lambda one: SIDES.index(one.side)))


def read_definition(folder: Path) -> str:
    """Return what ``definition.txt`` says; empty where there is none.

    Raises:
        SondeError: it is not UTF-8.
    """
    path = folder / DEFINITION
    if not path.is_file():
        return ""
    read = path.read_bytes()
    try:
        return read.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise SondeError(
            f"{path} is not UTF-8: byte {error.start + 1} is {read[error.start]:#04x}.",
            fix="Save the file as UTF-8.",
        ) from None


def read_steering(folder: Path) -> Steering:
    """Read ``steering.json``: a list of questions, or an object with ``questions``.

    The object may have ``instruction``: the trait as one would ask for it in words.

    Raises:
        SondeError: it is no JSON, has no list of texts, or names a question twice.
    """
    path = folder / STEERING
    given = _json(path, "a list of questions")
    if given is None:
        return Steering()
    if not isinstance(given, Mapping):
        given = {"questions": given}
    listed, instruction = given.get("questions"), given.get("instruction", "")
    fix = 'Write ["How are you?", …], or {"instruction": "…", "questions": […]}.'
    if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in listed):
        raise SondeError(f"{path} holds no list of questions.", fix=fix)
    if not isinstance(instruction, str):
        raise SondeError(f"{path}: the instruction is {instruction!r}, which is no text.", fix=fix)
    twice = next((one for at, one in enumerate(listed) if one in listed[:at]), None)
    if twice is not None:
        raise SondeError(f"{path} asks {twice!r} twice.", fix="Keep each question once.")
    return Steering(tuple(listed), instruction.strip())


def read_rule_json(folder: Path) -> Mapping[str, Any] | None:
    """Return what ``rule.json`` holds, for ``sonde.judges.rule_of``; None where there is none.

    Raises:
        SondeError: it is no JSON object.
    """
    path = folder / RULE
    given = _json(path, "a rule")
    if given is not None and not isinstance(given, Mapping):
        raise SondeError(f"{path} holds no JSON object.", fix='Write {"patterns": […]}.')
    return given


def _json(path: Path, what: str) -> Any:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SondeError(f"{path} is not JSON: {error}.", fix=f"Write {what}.") from None
