"""What a sweep found at each place, before it is scored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from sonde.core.hooks import HookPoint


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


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What was cross-validated at a place: the labels first, the repetitions of controls after.

    ``out_of_fold`` are predictions by fits that did not see the row, ``inner_best`` the scores
    that the training folds of each fold gave among themselves, on which choices rest.
    """

    targets: Float[np.ndarray, "row target"]
    out_of_fold: Float[np.ndarray, "row target"]
    inner_best: Float[np.ndarray, "fold target"]

    def beside(self, other: "Columns") -> "Columns":
        """Put others after these.

        The predictions of controls are kept to single precision: nobody reads them one by one,
        there are ten times as many as of the labels, and rounded they take half the room on disk.
        """
        rounded = other.out_of_fold.astype(np.float32).astype(np.float64)
        return Columns(
            np.concatenate([self.targets, other.targets], axis=1),
            np.concatenate([self.out_of_fold, rounded], axis=1),
            np.concatenate([self.inner_best, other.inner_best], axis=1),
        )

    def __getitem__(self, which: slice) -> "Columns":
        return Columns(
            self.targets[:, which], self.out_of_fold[:, which], self.inner_best[:, which]
        )

    def __len__(self) -> int:
        return self.targets.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """The outcome at one place. ``rows`` are its rows among the targets' rows.

    ``controls`` names the columns of each control; ``chosen`` are the indices of the penalties that
    the training folds of each fold chose.
    """

    place: Place
    rows: Int[np.ndarray, " row"]
    columns: Columns
    controls: Mapping[str, tuple[int, ...]]
    chosen: Int[np.ndarray, " fold"]
    by_penalty: Float[np.ndarray, " penalty"]
    final: int
    at_edge: bool
    separated: bool  # the final fit has every training row on its label's side of 0
    weight: Float[np.ndarray, " d_model"]
    bias: float
    mean: Float[np.ndarray, " d_model"]
    scale: Float[np.ndarray, " d_model"]

    def with_control(self, name: str, found: Columns) -> "Swept":
        """Add a control, one column for each of its repetitions."""
        start = len(self.columns)
        numbers = tuple(range(start, start + len(found)))
        return replace(
            self,
            columns=self.columns.beside(found),
            controls={**self.controls, name: numbers},
        )
