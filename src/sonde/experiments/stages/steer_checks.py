"""What a search asks of the vectors stage, held against that stage's settings before anything runs.

A cleaning that comes to the same as another, which only a run can say, is still found by its name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sonde.core.errors import SondeError, nearest
from sonde.core.positions import parse_position
from sonde.experiments.stage import Stage
from sonde.vectors.settings import CLEANING_NAMES, METHOD_NAMES, VectorSettings

RANDOM = "random"


def known_kinds(given: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a kind, ``<method>[/<cleaning>]``, that there is not, or that stands there twice.

    Raises:
        ValueError: there is such a one.
    """
    for kind in given:
        method, _, cleaning = kind.partition("/")
        for name, known, what in (
            (method, METHOD_NAMES, "method"),
            (cleaning or "none", CLEANING_NAMES, "cleaning"),
        ):
            if name not in known:
                raise ValueError(f"{name!r} is no {what}; there are {', '.join(known)}")
    if len(set(given)) < len(given):
        raise ValueError(f"a kind is named twice: {', '.join(given)}")
    return given


def readable_positions(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return positions as results name them.

    Raises:
        ValueError: one is not a position.
    """
    try:
        return tuple(str(parse_position(text)) for text in given)
    except SondeError as error:
        raise ValueError(str(error)) from None


def check_kinds(place: str, kinds: Sequence[str], vectors: str, made: VectorSettings) -> None:
    """Refuse kinds that a vectors stage does not make; random vectors are never cleaned.

    Raises:
        SondeError: it does not make one.
    """
    there = [
        method if cleaning == "none" else f"{method}/{cleaning}"
        for method in made.methods
        for cleaning in made.cleanings
        if method != RANDOM or cleaning == "none"
    ]
    for kind in kinds:
        if kind not in there:
            method, _, cleaning = kind.partition("/")
            add = (
                f"add {method} to its methods"
                if method not in made.methods
                else f"add {cleaning or 'none'} to its cleanings"
            )
            raise SondeError(
                f"{place} names {kind!r}, which {vectors} does not make.{nearest(kind, there)}",
                fix=f"Name some of {', '.join(there)}, or {add}.",
            )


def check_positions(
    place: str, positions: Sequence[str], vectors: str, stages: Mapping[str, Stage]
) -> None:
    """Refuse positions that the activations behind a vectors stage do not have, where these say.

    Raises:
        SondeError: they do not have one.
    """
    source = getattr(stages[vectors], "activations", "")
    read = _read_at(getattr(stages.get(source), "positions", None))
    if read is None:
        return
    for position in positions:
        if position not in read:
            raise SondeError(
                f"{place} names {position!r}, which {source} does not read."
                f"{nearest(position, read)}",
                fix=f"It reads {', '.join(read)}; add others to its positions.",
            )


def check_unit(place: str, vectors: str, stages: Mapping[str, Stage]) -> None:
    """Refuse vectors without typical norms: their coefficients would have no unit.

    Raises:
        SondeError: the vectors stage names no massive dimensions.
    """
    if getattr(stages[vectors], "massive", None) is None:
        raise SondeError(
            f"{place} names {vectors!r}, which knows no typical norms, so coefficients have no "
            "unit.",
            fix=f"Give the file a massive_dimensions stage, and {vectors} its name as `massive`.",
        )


def _read_at(given: Any) -> list[str] | None:
    """Return the positions that a stage reads as they are named afterwards; None if not known."""
    if given is None:
        return None
    texts = [given] if isinstance(given, str) else list(given)
    try:
        return [str(parse_position(text)) for text in texts]
    except SondeError:
        return None
