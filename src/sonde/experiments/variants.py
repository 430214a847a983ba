"""Overrides and sweeps: other values at dotted paths of an experiment file.

A path starts at the top of the file (``model.name``, ``stages.acts.layers``) or at the name of a
stage (``acts.layers``). Numbers index lists.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

from sonde.core.errors import SondeError, nearest
from sonde.experiments.yaml_file import parse_value

TOP_KEYS = (
    "name", "question", "purpose", "seed", "model", "engine", "stages", "sweep", "claims",
    "correction", "references", "track",
)  # fmt: skip
# `model: name` is short for `model: {name: name}`, which a path inside it needs.
SHORT_FOR = {"model": "name", "method": "kind"}


@dataclass(frozen=True, slots=True)
class Variant:
    """One point of a sweep: the changed values, and the whole content with them."""

    changes: tuple[tuple[str, Any], ...]
    content: dict[str, Any]

    @property
    def label(self) -> str:
        """``seed=1, acts.layers=auto``; empty without a sweep."""
        return label_of(self.changes)


def label_of(changes: Iterable[tuple[str, Any]]) -> str:
    """Return the label of a variant with these values at swept paths."""
    return ", ".join(f"{path}={_short(value)}" for path, value in changes)


def parse_override(text: str) -> tuple[str, Any]:
    """Split ``path=value``; the value is read as YAML.

    Raises:
        SondeError: there is no ``=``, or no path before it.
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise SondeError(
            f"--set {text!r} is not a change.", fix="Write --set path=value: --set seed=1."
        )
    return path.strip(), parse_value(value)


def with_value(content: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of the content with ``value`` at ``path``.

    A key that the file left at its default is created; whether it exists at all is for the
    validation that follows. A stage or list entry that the file does not have is an error here.

    Raises:
        SondeError: the path leads nowhere; the nearest key is named.
    """
    changed = deepcopy(dict(content))
    parts = _full_path(changed, path)
    inside: Any = changed
    for number, part in enumerate(parts[:-1]):
        inside = _step(inside, part, parts[: number + 1], path)
    last = parts[-1]
    if isinstance(inside, list):
        items = cast("list[Any]", inside)
        items[_index(items, last, path)] = value
    else:
        inside[last] = value
    return changed


def variants(content: Mapping[str, Any]) -> tuple[Variant, ...]:
    """Expand ``sweep:``, the product of its lists, in the order of the file.

    Raises:
        SondeError: a swept path leads nowhere, or its values are not a list with entries.
    """
    base = {key: value for key, value in content.items() if key != "sweep"}
    sweep: Any = content.get("sweep") or {}
    if not isinstance(sweep, Mapping):
        raise SondeError(
            f"sweep is not a mapping but {sweep!r}.", fix="Write `sweep: {seed: [0, 1, 2]}`."
        )
    axes = cast("Mapping[Any, Any]", sweep)
    for path, values in axes.items():
        if not isinstance(values, list) or not values:
            raise SondeError(
                f"sweep.{path} is not a list of values but {values!r}.",
                fix="Write the values to try in brackets: [0, 1, 2].",
            )
    found: list[Variant] = []
    for choice in product(*(cast("list[Any]", values) for values in axes.values())):
        changes = tuple(zip(map(str, axes), choice, strict=True))
        changed = base
        for path, value in changes:
            changed = with_value(changed, path, value)
        found.append(Variant(changes, changed))
    return tuple(found)


def _full_path(content: Mapping[str, Any], path: str) -> list[str]:
    parts = path.split(".")
    if parts[0] in TOP_KEYS:
        return parts
    stages = content.get("stages")
    names = list(cast("Mapping[str, Any]", stages)) if isinstance(stages, Mapping) else []
    if parts[0] in names:
        return ["stages", *parts]
    raise SondeError(
        f"{path!r} leads nowhere: there is no key or stage {parts[0]!r}."
        f"{nearest(parts[0], [*TOP_KEYS, *names])}",
        fix=f"Keys are {', '.join(TOP_KEYS)}; stages are {', '.join(names) or 'none'}.",
    )


def _step(inside: Any, part: str, walked: Sequence[str], path: str) -> Any:
    if isinstance(inside, list):
        items = cast("list[Any]", inside)
        return items[_index(items, part, path)]
    mapping = cast("dict[str, Any]", inside)
    short = SHORT_FOR.get(part) if len(walked) in (1, 3) else None
    if short is not None and isinstance(mapping.get(part), str):
        mapping[part] = {short: mapping[part]}
    if len(walked) == 2 and walked[0] == "stages" and part not in mapping:
        raise SondeError(
            f"{path!r} leads nowhere: there is no stage {part!r}.{nearest(part, mapping)}"
        )
    following = mapping.setdefault(part, {})
    if not isinstance(following, dict | list):
        raise SondeError(
            f"{path!r} leads nowhere: {'.'.join(walked)} is {following!r}, which has no parts."
        )
    return cast("Any", following)


def _index(items: Sequence[Any], part: str, path: str) -> int:
    if part.isdigit() and int(part) < len(items):
        return int(part)
    raise SondeError(
        f"{path!r} leads nowhere: {part!r} is not an entry of a list of {len(items)}.",
        fix="Entries are counted from 0.",
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "…"
