"""What a sweep found at each place, before it is scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from sonde.core.hooks import HookPoint
from sonde.probes.nested import Nested
from sonde.probes.reader import Reader
from sonde.probes.scored import Scored
from sonde.probes.targets import Targets

# Reasons that a place failed, and how to mend rows that hold NaN or Inf.
CONSTANT = "its activations are the same in every row; take another hook point or position"
NOT_FINITE = "extract them in float32, or leave them out"


@dataclass(frozen=True, slots=True)
class Place:
    """A hook point and a position: one thing that a probe can read."""

    hook: HookPoint
    position: str

    def __str__(self) -> str:
        return f"{self.hook} at {self.position}"


@dataclass(frozen=True, slots=True)
class FailedLayer:
    """A place that could not be probed, and why."""

    hook: HookPoint
    position: str
    reason: str


def why_all_failed(failed: Sequence[FailedLayer]) -> str:
    """Give the reasons of places that all failed: once where it is the same, else the first."""
    reasons = {it.reason for it in failed}
    if len(failed) > 1 and len(reasons) == 1:
        return f"At all {len(failed)} of them: {reasons.pop()}."
    return "; ".join(f"{it.hook} at {it.position}: {it.reason}" for it in failed[:3]) + "."


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What was cross-validated at a place: the labels first, the repetitions of controls after.

    ``out_of_fold`` is what fits said that did not see the line, divided by ``scale`` (see
    ``Nested``); ``inner_best`` the scores that the training folds of each fold gave among
    themselves, on which choices rest.
    """

    truth: Float[np.ndarray, "line repetition"]
    out_of_fold: Float[np.ndarray, "line repetition"]
    scale: Float[np.ndarray, "fold repetition"]
    inner_best: Float[np.ndarray, "fold repetition"]

    @classmethod
    def of(
        cls, found: Nested, layer: int, truth: Float[np.ndarray, "line repetition"]
    ) -> "Columns":
        """Take one layer of what nested cross-validation found."""
        return cls(truth, found.out_of_fold[layer], found.scale[layer], found.inner_best[layer])

    def beside(self, other: "Columns") -> "Columns":
        """Put others after these.

        The predictions of controls are kept to single precision: nobody reads them one by one,
        there are ten times as many as of the labels, and rounded they take half the room on disk.
        """
        rounded = other.out_of_fold.astype(np.float32).astype(np.float64)
        return Columns(
            np.concatenate([self.truth, other.truth], axis=1),
            np.concatenate([self.out_of_fold, rounded], axis=1),
            np.concatenate([self.scale, other.scale], axis=1),
            np.concatenate([self.inner_best, other.inner_best], axis=1),
        )

    def __getitem__(self, which: slice) -> "Columns":
        return Columns(
            self.truth[:, which],
            self.out_of_fold[:, which],
            self.scale[:, which],
            self.inner_best[:, which],
        )

    def __len__(self) -> int:
        return self.truth.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """The outcome at one place.

    ``rows`` is the row of each line among the targets' rows, ``other`` that of the second item in
    pairwise data. ``controls`` names the columns of each control; ``chosen`` are the indices of the
    penalties that the training folds of each fold chose.
    """

    place: Place
    rows: Int[np.ndarray, " line"]
    other: Int[np.ndarray, " line"] | None
    columns: Columns
    controls: Mapping[str, tuple[int, ...]]
    chosen: Int[np.ndarray, " fold"]
    by_penalty: Float[np.ndarray, " penalty"]
    final: int
    at_edge: bool
    separated: bool  # the final fit has every training line on its label's side
    reader: Reader

    def with_control(self, name: str, found: Columns) -> "Swept":
        """Add a control, one column for each of its repetitions."""
        start = len(self.columns)
        numbers = tuple(range(start, start + len(found)))
        return replace(
            self,
            columns=self.columns.beside(found),
            controls={**self.controls, name: numbers},
        )

    def scored(
        self,
        column: int,
        targets: Targets,
        folds: Int[np.ndarray, " row"],
        lines: np.ndarray | slice = slice(None),
    ) -> Scored:
        """Return the lines of one column, or some of them, with whose they are."""
        rows, fold = self.rows[lines], folds[self.rows[lines]]
        return Scored(
            example=targets.example[rows],
            token=targets.token[rows],
            unit=targets.unit[rows],
            other=None if self.other is None else targets.unit[self.other[lines]],
            fold=fold,
            truth=self.columns.truth[lines, column],
            predicted=self.columns.out_of_fold[lines, column],
            scale=self.columns.scale[fold, column],
        )
