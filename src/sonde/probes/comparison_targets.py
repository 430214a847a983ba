"""Comparisons joined with the rows of the activations: items in place of labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sonde.activations.activations import Activations
from sonde.core.errors import SondeError
from sonde.data.comparisons import Comparison, Comparisons
from sonde.data.examples import Example
from sonde.probes.comparison_lines import Compared
from sonde.probes.targets import Targets, number_targets


def comparison_targets(
    acts: Activations,
    y: Any,
    comparisons: Comparisons | Iterable[Comparison] | None,
) -> Targets:
    """Join the items of comparisons with the activations' rows; values are the items' numbers.

    ``y`` are examples, of which groups and texts are used, or None. What did not join is in the
    report, item by item, and the notes say how many comparisons that costs.

    Raises:
        SondeError: no comparisons are given, no two compared items have activations, all
            comparisons are ties, or an item has several rows at a position.
    """
    if comparisons is None:
        raise SondeError(
            "A Bradley-Terry probe is fitted to comparisons, and none are given.",
            fix="Give comparisons=…, or name the stage that has them: comparisons: <stage>.",
        )
    given = Comparisons.of(comparisons)
    items = given.items
    targets = number_targets(acts, _numbered(y, items))
    _refuse_several_rows(targets)
    first, second = given.numbered(items)
    there = np.zeros(len(items), bool)
    there[targets.values[:, 0].astype(np.int64)] = True
    kept = there[first] & there[second]
    if not kept.any():
        raise SondeError(
            f"None of the {len(given):,} comparisons is of two items with activations. "
            f"{targets.report}",
            fix="Compare items by the ids of the examples that were extracted.",
        )
    given.some(kept).refuse_nothing()
    compared = Compared(first[kept], second[kept], given.outcome[kept], given.weight[kept])
    return replace(targets, compared=compared, notes=(*targets.notes, *_notes(given, kept)))


def _numbered(y: Any, items: np.ndarray) -> Mapping[str, float] | Sequence[Example]:
    """Label every compared item with its number, keeping what is known of it."""
    numbers = {str(name): float(number) for number, name in enumerate(items.tolist())}
    examples = [one for one in y if isinstance(one, Example)] if isinstance(y, Sequence) else []
    if not examples:
        return numbers
    known = [replace(one, label=numbers[one.id]) for one in examples if one.id in numbers]
    unknown = numbers.keys() - {one.id for one in known}
    return [*known, *(Example(name, "", label=numbers[name]) for name in sorted(unknown))]


def _refuse_several_rows(targets: Targets) -> None:
    keys = np.char.add(np.char.add(targets.example, "\n"), targets.position)
    names, counts = np.unique(keys, return_counts=True)
    if counts.max() > 1:
        example, position = str(names[counts.argmax()]).split("\n")
        raise SondeError(
            f"Item {example!r} has {counts.max()} rows at {position}; comparisons are of items "
            "with one.",
            fix="Read one token of each example, such as prompt[-1], or pool them: response.mean.",
        )


def _notes(given: Comparisons, kept: np.ndarray) -> list[str]:
    lost = int((~kept).sum())
    notes: list[str] = []
    if lost:
        notes.append(
            f"{lost:,} of {len(given):,} comparisons were left out: an item has no activations."
        )
    ties = given.some(kept).ties
    if ties:
        notes.append(
            f"{ties:,} of {int(kept.sum()):,} comparisons are ties: they count half each way in "
            "the fits, and in no score."
        )
    return notes
