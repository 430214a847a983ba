"""What differs between two nested settings, as dotted paths."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast


class _Absent:
    """Stands for a path that one side does not have."""

    def __repr__(self) -> str:
        return "–"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Different:
    """One place where two sides differ; ``ABSENT`` where a side has no such place."""

    path: str
    a: Any
    b: Any


def differing(a: Any, b: Any) -> tuple[Different, ...]:
    """Return the places where two JSON-like values differ, in the order of ``a``, then of ``b``.

    Mappings are walked, and lists of one length; lists of different lengths differ as a whole.
    """
    left, right = dict(_leaves(a, b, "")), dict(_leaves(b, a, ""))
    return tuple(
        Different(path, left.get(path, ABSENT), right.get(path, ABSENT))
        for path in dict.fromkeys((*left, *right))
        if not _same(left.get(path, ABSENT), right.get(path, ABSENT))
    )


def differing_claims(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Different, ...]:
    """Return one difference a claim: what it says otherwise, or its statement if a side lacks it.

    ``{"by": 0.05}`` beside ``{"by": 0.1}``; claims are as the settings have them, by name.
    """
    found: list[Different] = []
    for name in dict.fromkeys((*a, *b)):
        if name not in a or name not in b:
            one, other = (side[name]["statement"] if name in side else ABSENT for side in (a, b))
            found.append(Different(name, one, other))
        elif changes := differing(a[name], b[name]):
            sides = ({one.path: one.a for one in changes}, {one.path: one.b for one in changes})
            found.append(Different(name, *sides))
    return tuple(found)


def _leaves(value: Any, other: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and (value or (isinstance(other, Mapping) and other)):
        beside: Any = cast("Any", other) if isinstance(other, Mapping) else {}
        for name, item in cast("Mapping[str, Any]", value).items():
            yield from _leaves(item, beside.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple) and _is_as_long(value, other):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _leaves(item, other[index], f"{path}[{index}]")
    else:
        yield path, value


def _is_as_long(value: Any, other: Any) -> bool:
    return isinstance(other, list | tuple) and len(value) == len(cast("list[Any]", other)) > 0


def _same(a: Any, b: Any) -> bool:
    # 1 and True are equal in Python, and a reader wants to see that they are two things.
    return a == b and isinstance(a, bool) == isinstance(b, bool)
