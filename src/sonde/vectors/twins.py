"""Kinds that stand for another: they were asked for, and come to the same vectors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sonde.vectors.vector import UNCLEANED, Vector

SAME = 1 - 1e-6  # cosine from which a vector that was cleaned before is one cleaned after
BEFORE, ALL = "before", "all"


def twins_of(vectors: Sequence[Vector], same: Mapping[str, str]) -> tuple[Vector, ...]:
    """Return the vectors of the kinds that stand for others, under their own names."""
    names = {one.name for one in vectors}
    found = (
        replace(one, cleaning=kind.partition("/")[2] or UNCLEANED)
        for kind, twin in same.items()
        for one in vectors
        if one.kind == twin
    )
    return tuple(one for one in found if one.name not in names)


def repeats(vectors: Iterable[Vector]) -> dict[str, str]:
    """Return the kinds ``before`` that come to the same as ``all`` at every place, with these."""
    own = {(one.method, one.cleaning, one.position, one.hook): one.direction for one in vectors}
    pairs: dict[str, list[bool]] = {}
    for (method, cleaning, position, hook), direction in own.items():
        if cleaning == BEFORE:
            other = own.get((method, ALL, position, hook))
            alike = other is not None and float(direction @ other) > SAME
            pairs.setdefault(method, []).append(alike)
    return {f"{method}/{BEFORE}": f"{method}/{ALL}" for method, one in pairs.items() if all(one)}
