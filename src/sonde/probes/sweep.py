"""The sweep over hook points and positions: folds, controls, nested choice, final probes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.activations.activations import Activations
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.probes.control import shuffled
from sonde.probes.names import DIRECTION, SHUFFLED
from sonde.probes.nested import Nested, nested
from sonde.probes.random_direction import RandomDirections, draw_directions
from sonde.probes.settings import ProbeSettings
from sonde.probes.solver import Linear, Prepare
from sonde.probes.swept import Columns, FailedLayer, Place, Swept
from sonde.probes.targets import Targets
from sonde.stats.folds import grouped_folds
from sonde.stats.metrics import METRICS

BYTES_AT_ONCE = 1 << 28  # of activations in float64; layers beyond that wait their turn


def make_folds(targets: Targets, settings: ProbeSettings) -> Int[np.ndarray, " row"]:
    """Deal the units into folds, alike at every hook point and position.

    Raises:
        SondeError: there are fewer units than folds, or a class is in too few of them.
    """
    classes = targets.values if targets.labels else None
    folds = grouped_folds(targets.unit, settings.folds, classes=classes, seed=settings.seed)
    for value, name in enumerate(targets.labels):
        where = np.unique(folds[targets.values == value])
        if len(where) < 3:
            units = len(np.unique(targets.unit[targets.values == value]))
            raise SondeError(
                f"The class {name!r} is in {units} groups and reaches only {len(where)} of "
                f"{settings.folds} folds, so some fits would see none of it.",
                fix="Give at least three groups with each class.",
            )
    return folds


def sweep(
    acts: Activations,
    targets: Targets,
    folds: Int[np.ndarray, " row"],
    settings: ProbeSettings,
    prepare: Prepare,
) -> tuple[list[Swept], list[FailedLayer]]:
    """Fit every hook point at every position; a place that fails is listed, not fatal."""
    done: list[Swept] = []
    failed: list[FailedLayer] = []
    for position in dict.fromkeys(targets.position.tolist()):
        rows = np.flatnonzero(targets.position == position)
        columns = [targets.values[rows]]
        for number in range(settings.shuffles):
            seed = settings.seed * 1000 + number
            columns.append(shuffled(targets.values[rows], targets.unit[rows], seed))
        job = _Job(position, rows, np.stack(columns, axis=1), folds[rows], settings, prepare)
        for hooks, tensors in _batches(acts, targets, job, failed):
            done += job.run(hooks, torch.stack(tensors))
    return done, failed


def _batches(
    acts: Activations, targets: Targets, job: "_Job", failed: list[FailedLayer]
) -> Iterator[tuple[list[HookPoint], list[Tensor]]]:
    """Yield hook points of one width together with their rows in float64, few enough for memory."""
    hooks: list[HookPoint] = []
    tensors: list[Tensor] = []
    index = torch.from_numpy(targets.index[job.rows])
    for hook in acts.hooks:
        rows = acts.tensor(hook)[index].to(torch.float64)
        rows = rows.flatten(1) if rows.ndim > 2 else rows  # heads follow one another
        fault = _fault(rows, targets.example[job.rows]) or job.fault
        if fault:
            failed.append(FailedLayer(hook, job.position, fault))
            continue
        full = (len(tensors) + 1) * rows.numel() * 8 > BYTES_AT_ONCE
        if tensors and (full or rows.shape != tensors[0].shape):
            yield hooks, tensors
            hooks, tensors = [], []
        hooks.append(hook)
        tensors.append(rows)
    if tensors:
        yield hooks, tensors


def _fault(rows: Tensor, example: np.ndarray) -> str:
    if rows.ndim != 2:
        return f"its activations have shape {list(rows.shape)}; a probe reads [row, d_model]"
    bad = ~rows.isfinite().all(dim=1).numpy()
    if bad.any():
        names = ", ".join(map(repr, example[bad][:3].tolist()))
        return f"{int(bad.sum())} of {len(rows)} rows hold NaN or Inf, such as {names}"
    if not bool((rows != rows[0]).any()):
        return "its activations are the same in every row"
    return ""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """One position's rows, with what to fit on them."""

    position: str
    rows: Int[np.ndarray, " row"]
    targets: Float[np.ndarray, "row target"]
    folds: Int[np.ndarray, " row"]
    settings: ProbeSettings
    prepare: Prepare

    @property
    def fault(self) -> str:
        """Say why no probe can be fitted at this position, or nothing."""
        seen = len(np.unique(self.folds))
        if seen < self.settings.folds:
            return f"its {len(self.rows)} rows reach only {seen} of {self.settings.folds} folds"
        truth = self.targets[:, 0]
        for pair in combinations(range(seen), 2):
            if np.ptp(truth[~np.isin(self.folds, pair)]) == 0:
                return "without two of the folds, all labels are the same"
        return ""

    def run(self, hooks: Sequence[HookPoint], x: Float[Tensor, "layer row d"]) -> list[Swept]:
        """Fit a batch of hook points, the labels and their shuffles at once."""
        penalties, metric = self.settings.penalties, METRICS[self.settings.metric]
        solver = self.prepare(x, torch.from_numpy(self.targets), torch.from_numpy(self.folds))
        found = nested(solver, self.folds, self.targets, penalties, metric)
        grid = torch.tensor(penalties, dtype=torch.float64)
        final = solver.final(grid[torch.from_numpy(found.final[:, 0])])
        said = torch.einsum("lrd,ld->lr", x, final.weight) + final.bias[:, None]
        separated = ((said > 0).numpy() == (self.targets[:, 0] > 0.5)).all(axis=1)
        swept = [
            self._swept(Place(hook, self.position), layer, found, final, bool(separated[layer]))
            for layer, hook in enumerate(hooks)
        ]
        return self._with_directions(swept, x) if self.settings.directions else swept

    def _with_directions(
        self, swept: Sequence[Swept], x: Float[Tensor, "layer row d"]
    ) -> list[Swept]:
        """Add the random-direction control: the same rows, folds and metric."""
        number, seed = self.settings.directions, self.settings.seed
        drawn = [draw_directions(str(one.place), seed, x.shape[2], number) for one in swept]
        reader = RandomDirections(
            x,
            torch.from_numpy(self.targets[:, 0]),
            torch.from_numpy(self.folds),
            torch.stack(drawn),
            classes=self.settings.kind != "ridge",
        )
        targets = np.repeat(self.targets[:, :1], number, axis=1)
        found = nested(reader, self.folds, targets, (0.0,), METRICS[self.settings.metric])
        return [
            one.with_control(DIRECTION, _columns(found, layer, targets))
            for layer, one in enumerate(swept)
        ]

    def _swept(
        self, place: Place, layer: int, found: Nested, final: Linear, separated: bool
    ) -> Swept:
        columns = _columns(found, layer, self.targets)
        swept = Swept(
            place=place,
            rows=self.rows,
            columns=columns[:1],
            controls={},
            chosen=found.chosen[layer, :, 0],
            by_penalty=found.by_penalty[layer, :, 0],
            final=int(found.final[layer, 0]),
            at_edge=bool(found.at_edge[layer]),
            separated=separated,
            weight=final.weight[layer].numpy(),
            bias=float(final.bias[layer]),
            mean=final.mean[layer].numpy(),
            scale=final.scale[layer].numpy(),
        )
        return swept.with_control(SHUFFLED, columns[1:]) if len(columns) > 1 else swept


def _columns(found: Nested, layer: int, targets: Float[np.ndarray, "row target"]) -> Columns:
    return Columns(targets, found.out_of_fold[layer], found.inner_best[layer])
