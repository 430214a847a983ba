"""Labels joined to the rows of the activations, by example or row by row."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from sonde.activations.activations import Activations, RowTable
from sonde.core.errors import SondeError
from sonde.data.accounting import NAN, Joined, JoinReport, join
from sonde.data.comparisons import Comparison
from sonde.data.examples import Example

# Examples, a mapping from example id to label, or one label (or several numbers) for each row.
Labels: TypeAlias = Sequence[Example] | Mapping[str, Any] | np.ndarray | Sequence[float | str]
# What is fitted: labels, or comparisons of the examples.
Given: TypeAlias = Labels | Sequence[Comparison]


def joined_labels(acts: Activations, y: Labels) -> Joined:
    """Join labels with the rows that have them.

    Raises:
        SondeError: nothing joins, or an array does not have one label for each row.
    """
    rows = acts.rows
    if not isinstance(y, Mapping) and not are_examples(y):
        return _aligned(rows, np.asarray(y))
    known = {
        name: group
        for name, group in zip(rows.example.tolist(), rows.group.tolist(), strict=True)
        if group
    }
    if not isinstance(y, Mapping):
        known |= {item.id: item.group for item in y if item.group}
    skipped = {item.example: item.reason for item in acts.skipped}
    return join(rows.example, y, skipped=skipped, groups=known)


def are_examples(y: Labels) -> TypeGuard[Sequence[Example]]:
    """Whether labels are examples, which carry them."""
    return isinstance(y, Sequence) and len(y) > 0 and isinstance(y[0], Example)


def _aligned(rows: RowTable, y: np.ndarray) -> Joined:
    """Join an array that has one label for each row: only NaN is left out, and rows are counted."""
    if y.ndim not in (1, 2) or len(y) != len(rows) or (y.ndim == 2 and y.dtype.kind in "OUS"):
        raise SondeError(
            f"The labels have shape {y.shape}; the activations have {len(rows)} rows.",
            fix="Give one label for each row, or a mapping from example id to label.",
        )
    values = y.astype(str) if y.dtype.kind in "OUS" else y.astype(np.float64)
    # A missing value of a mixed array becomes the text "nan"; a class of texts may have that name.
    absent = np.isnan(values) if values.dtype.kind == "f" else _missing(y)
    index = np.flatnonzero(~absent.reshape(len(rows), -1).any(axis=1))
    lost = np.setdiff1d(np.arange(len(rows)), index)
    reasons = {NAN: _names(rows, lost)} if len(lost) else {}
    report = JoinReport(len(rows), len(rows), len(index), reasons, dict(reasons))
    if not len(index):
        raise SondeError("Every label is NaN.", fix="Give labels.")
    groups = np.where(rows.group == "", rows.example, rows.group)[index]
    return Joined(index, values[index], groups, report)


def _names(rows: RowTable, which: np.ndarray) -> tuple[str, ...]:
    """Name rows by their example, and by position and token where it has several rows."""
    examples, counts = np.unique(rows.example, return_counts=True)
    several = set(examples[counts > 1].tolist())
    return tuple(
        f"{example}, {rows.position[row]}, token {rows.token[row]}"
        if example in several
        else example
        for row, example in zip(which.tolist(), rows.example[which].tolist(), strict=True)
    )


def _missing(y: np.ndarray) -> np.ndarray:
    return np.array([isinstance(label, float) and isnan(label) for label in y.tolist()])
