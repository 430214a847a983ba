"""Moments of a stream's labelled rows, fold by fold: one run of the model for all places.

A layer of d coordinates takes folds x d^2 x 8 bytes, so layers take turns where there is not room
for all, and each turn runs the model again, no deeper than its own layers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.activations.activations import ActivationsInMemory
from sonde.activations.running_moments import RunningMoments
from sonde.activations.streaming import ActivationStream
from sonde.core.hooks import HookPoint
from sonde.probes.swept import Place
from sonde.probes.targets import Targets

MEMORY = 4 << 30  # bytes of moments that are held at once
ROWS_AT_ONCE = 1024  # rows that wait before they are added; a product of fewer costs as much


def known_rows(stream: ActivationStream) -> ActivationsInMemory:
    """Return the rows that a stream will give, without activations, for labels to be joined to."""
    table = stream.job.prepared.table(np.arange(stream.n_rows))
    return ActivationsInMemory({}, table, stream.origin, stream.skipped)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """The labelled rows of one position; ``at`` numbers them among a stream's rows, else -1."""

    position: str
    y: Float[np.ndarray, "row target"]
    folds: Int[np.ndarray, " row"]
    at: Int[np.ndarray, " stream_row"]

    @classmethod
    def of(
        cls,
        targets: Targets,
        rows: Int[np.ndarray, " here"],
        folds: Int[np.ndarray, " row"],
        n_rows: int,
    ) -> "LabelledRows":
        """Take some of the targets' rows, all of one position."""
        at = np.full(n_rows, -1)
        at[targets.index[rows]] = np.arange(len(rows))
        return cls(str(targets.position[rows[0]]), targets.values[rows], folds[rows], at)


def selected(
    stream: ActivationStream, plan: Sequence[LabelledRows]
) -> Iterator[tuple[Place, LabelledRows, Tensor, np.ndarray]]:
    """Run the stream once; yield activations of labelled rows at each place, and their numbers."""
    for batch in stream:
        for rows in plan:
            at = rows.at[batch.numbers]
            here = np.flatnonzero(at >= 0)
            if not len(here):
                continue
            for hook in stream.hooks:
                x = batch.tensors[hook]
                chosen = x[torch.from_numpy(here).to(x.device)].flatten(1)
                yield Place(hook, rows.position), rows, chosen, at[here]


def fold_moments_of(
    stream: ActivationStream, plan: Sequence[LabelledRows], *, covariance: bool = True
) -> dict[Place, list[RunningMoments]]:
    """Run the stream once; return the moments of each fold at each place."""
    found: dict[Place, _Waiting] = {}
    for place, rows, x, numbers in selected(stream, plan):
        if place not in found:
            n_folds, targets = int(rows.folds.max()) + 1, rows.y.shape[1]
            found[place] = _Waiting(
                rows,
                [
                    RunningMoments(x.shape[1], targets, x.device, covariance=covariance)
                    for _ in range(n_folds)
                ],
            )
        found[place].put(x, numbers)
    for waiting in found.values():
        waiting.settle()
    return {place: waiting.folds for place, waiting in found.items()}


@dataclass(slots=True, eq=False)
class _Waiting:
    """The moments of each fold of a place, and rows that wait until there are enough of them."""

    rows: LabelledRows
    folds: list[RunningMoments]
    x: list[Tensor] = field(default_factory=list[Tensor])
    numbers: list[np.ndarray] = field(default_factory=list[np.ndarray])

    def put(self, x: Float[Tensor, "row d_model"], numbers: Int[np.ndarray, " row"]) -> None:
        """Add some of the rows."""
        self.x.append(x)
        self.numbers.append(numbers)
        if sum(map(len, self.numbers)) >= ROWS_AT_ONCE:
            self.settle()

    def settle(self) -> None:
        """Add what waits to the moments."""
        if not self.numbers:
            return
        x, numbers = torch.cat(self.x), np.concatenate(self.numbers)
        self.x, self.numbers = [], []
        for fold, running in enumerate(self.folds):
            here = self.rows.folds[numbers] == fold
            y = torch.from_numpy(self.rows.y[numbers[here]])
            running.add(x[torch.from_numpy(here).to(x.device)], y)


def parts(stream: ActivationStream, matrices: int, memory: int) -> list[tuple[HookPoint, ...]]:
    """Divide the hook points so that the moments of each part fit in ``memory``."""
    each = max(1, matrices) * stream.job.model.info.d_model**2 * 8
    few = max(1, memory // each)
    hooks = stream.hooks
    return [hooks[start : start + few] for start in range(0, len(hooks), few)]


def lost_rows(stream: ActivationStream, targets: Targets, hooks: Sequence[HookPoint]) -> list[str]:
    """Say how many labelled examples gave no activations in a run that has ended."""
    lost = {one.example for one in stream.skipped} & set(targets.example.tolist())
    if not lost:
        return []
    where = f"{hooks[0]} to {hooks[-1]}" if len(hooks) > 1 else str(hooks[0])
    return [
        f"{len(lost):,} labelled examples, such as {min(lost)!r}, gave no activations at {where} "
        "and were left out."
    ]
