"""How what a solver says becomes lines: one truth beside one prediction, which a metric scores."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

Predicted = Float[np.ndarray, "*batch row repetition output"]
Said = Float[np.ndarray, "*batch line repetition"]
Y = Float[np.ndarray, "row repetition target"]
Truth = Float[np.ndarray, "line repetition"]


@runtime_checkable
class Lines(Protocol):
    """Which lines there are, and what is said and true of each.

    ``rows`` is the row that a line is of, an index into the rows that were predicted; ``other`` in
    pairwise data the second item's row, of the same fold. Predictions that are missing are NaN.
    """

    @property
    def rows(self) -> Int[np.ndarray, " line"]:
        """The row of each line."""
        ...

    @property
    def other(self) -> Int[np.ndarray, " line"] | None:
        """The row of the second item of each line, in pairwise data."""
        ...

    def truth(self, y: Y) -> Truth:
        """Return what is true of each line, in each repetition."""
        ...

    def said(self, predicted: Predicted) -> Said:
        """Return what was said of each line, in each repetition."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class RowLines:
    """A line a row, or one for each of some rows: its one number, or its one logit."""

    rows: Int[np.ndarray, " line"]
    other: None = None

    def truth(self, y: Y) -> Truth:
        """Return the labels."""
        return y[self.rows][..., 0]

    def said(self, predicted: Predicted) -> Said:
        """Return the one output."""
        return predicted[..., 0][..., self.rows, :]


@dataclass(frozen=True, slots=True, eq=False)
class ClassLines:
    """A line a row: the number of its class, and of the class with the largest logit."""

    rows: Int[np.ndarray, " line"]
    other: None = None

    def truth(self, y: Y) -> Truth:
        """Return the classes' numbers."""
        return y[self.rows][..., 0]

    def said(self, predicted: Predicted) -> Said:
        """Return the number of the largest output; the first of equal ones."""
        here = predicted[..., self.rows, :, :]
        return np.where(np.isnan(here).any(axis=-1), np.nan, here.argmax(axis=-1))


@dataclass(frozen=True, slots=True, eq=False)
class TargetLines:
    """A line a row and target, each target standardised by its labels' mean and spread.

    R2 of the lines is then the plain mean of the targets' R2, as each has the same sum of squares.
    """

    rows: Int[np.ndarray, " line"]
    target: Int[np.ndarray, " line"]
    mean: Float[np.ndarray, " target"]
    spread: Float[np.ndarray, " target"]
    other: None = None

    @classmethod
    def of(
        cls, values: Float[np.ndarray, "row target"], rows: Int[np.ndarray, " scored"]
    ) -> "TargetLines":
        """Lay the targets of each of ``rows`` one after another."""
        there = values[rows]
        line, target = np.indices(there.shape)
        return cls(rows[line.ravel()], target.ravel(), there.mean(axis=0), there.std(axis=0))

    def truth(self, y: Y) -> Truth:
        """Return the standardised labels."""
        return self._standardised(y)

    def said(self, predicted: Predicted) -> Said:
        """Return the predictions by the same standard."""
        return self._standardised(predicted)

    def _standardised(self, values: np.ndarray) -> Any:
        there = np.moveaxis(values, -1, -2)[..., self.rows, self.target, :]
        return (there - self.mean[self.target, None]) / self.spread[self.target, None]


def first_rows(example: np.ndarray) -> Int[np.ndarray, " line"]:
    """Return the first row of each example: its line, where its rows are read together."""
    return np.sort(np.unique(example, return_index=True)[1])


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """Lines with the fold that tests each, and what is true of them."""

    lines: Lines
    folds: Int[np.ndarray, " row"]
    truth: Truth

    @classmethod
    def of(cls, lines: Lines, folds: Int[np.ndarray, " row"], y: Y) -> "Scoring":
        """Take the truth from the labels and their shuffles."""
        return cls(lines, folds, lines.truth(y))

    @property
    def fold(self) -> Int[np.ndarray, " line"]:
        """The fold whose fit predicts each line."""
        return self.folds[self.lines.rows]

    @property
    def n_folds(self) -> int:
        """How many folds there are."""
        return int(self.folds.max()) + 1
