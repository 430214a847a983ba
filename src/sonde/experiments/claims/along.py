"""The variants of a sweep as the values of an ordered factor."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from sonde.experiments.variants import label_of

Changes: TypeAlias = Mapping[str, Any]  # a variant's values by swept path


def series_along(
    path: str, variants: Mapping[str, Changes]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Group variants that differ in one swept path only.

    Yields what the others are held at, as a label (empty where nothing else is swept), and the
    labels of the variants in the order of the sweep.
    """
    groups: dict[str, list[str]] = {}
    for label, changes in variants.items():
        rest = label_of((name, value) for name, value in changes.items() if name != path)
        groups.setdefault(rest, []).append(label)
    for rest, labels in groups.items():
        yield rest, tuple(labels)


def factor_values(swept: Sequence[object]) -> tuple[float, ...]:
    """Return swept numbers as they are, and 1, 2, 3 … for anything else."""
    numbers = [
        float(value)
        for value in swept
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(numbers) == len(swept):
        return tuple(numbers)
    return tuple(float(number) for number in range(1, len(swept) + 1))


def is_ordered(values: Sequence[float]) -> bool:
    """Whether values rise, or fall, from each to the next."""
    steps = [after - before for before, after in pairwise(values)]
    return all(step > 0 for step in steps) or all(step < 0 for step in steps)
