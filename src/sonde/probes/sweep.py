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
from sonde.probes.at_once import layers_at_once
from sonde.probes.control import Layout
from sonde.probes.kinds import KINDS, AlongDirections
from sonde.probes.lines import Lines, Scoring
from sonde.probes.names import DIRECTION, SHUFFLED
from sonde.probes.nested import nested
from sonde.probes.problem import Problem
from sonde.probes.random_direction import draw_directions
from sonde.probes.reader import Reader, read_rows
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.solver import Prepare
from sonde.probes.swept import CONSTANT, NOT_FINITE, Columns, FailedLayer, Place, Swept
from sonde.probes.targets import Targets
from sonde.stats.folds import grouped_folds
from sonde.stats.metrics import METRICS


def make_folds(targets: Targets, settings: AnyProbeSettings) -> Int[np.ndarray, " row"]:
    """Deal the units into folds, alike at every hook point and position.

    Raises:
        SondeError: there are fewer units than folds, or a class is in too few of them.
    """
    values = targets.values[:, 0]
    classes = values if targets.classes else None
    folds = grouped_folds(targets.unit, settings.folds, classes=classes, seed=settings.seed)
    for value, name in enumerate(targets.classes):
        where = np.unique(folds[values == value])
        if len(where) < 3:
            units = len(np.unique(targets.unit[values == value]))
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
    settings: AnyProbeSettings,
) -> tuple[list[Swept], list[FailedLayer]]:
    """Fit every hook point at every position; a place that fails is listed, not fatal."""
    done: list[Swept] = []
    failed: list[FailedLayer] = []
    for position in dict.fromkeys(targets.position.tolist()):
        job = Job.of(targets, np.flatnonzero(targets.position == position), folds, settings)
        for hooks, tensors in _batches(acts, targets, job, failed):
            swept, lost = _run(job, hooks, torch.stack(tensors))
            done += swept
            failed += lost
    return done, failed


def _run(
    job: "Job", hooks: Sequence[HookPoint], x: Float[Tensor, "layer row d"]
) -> tuple[list[Swept], list[FailedLayer]]:
    """Fit hook points together; where that fails, one by one, to list those that do alone."""
    try:
        return _finite(job.run(hooks, x))
    except SondeError as error:
        if len(hooks) == 1:
            return [], [FailedLayer(hooks[0], job.position, str(error).rstrip("."))]
    alone = [_run(job, [hook], rows[None]) for hook, rows in zip(hooks, x, strict=True)]
    return [one for done, _ in alone for one in done], [one for _, lost in alone for one in lost]


def _finite(swept: Sequence[Swept]) -> tuple[list[Swept], list[FailedLayer]]:
    """Keep the places whose fits answered every line: a score of NaN cannot be compared."""
    done: list[Swept] = []
    failed: list[FailedLayer] = []
    for one in swept:
        said = one.columns.out_of_fold[:, 0]
        lost = int((~np.isfinite(said)).sum())
        if lost:
            reason = f"its fits answered NaN or Inf to {lost} of {len(said)}; rescale its rows"
            failed.append(FailedLayer(one.place.hook, one.place.position, reason))
        else:
            done.append(one)
    return done, failed


def _batches(
    acts: Activations, targets: Targets, job: "Job", failed: list[FailedLayer]
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
        full = len(tensors) >= layers_at_once(len(rows), rows.shape[1], job.settings.folds)
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
        return (
            f"{int(bad.sum())} of {len(rows)} rows hold NaN or Inf, such as {names}; {NOT_FINITE}"
        )
    if not bool((rows != rows[0]).any()):
        return CONSTANT
    return ""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One position's rows, with what to fit on them: the labels, then their shuffles."""

    position: str
    rows: Int[np.ndarray, " row"]
    y: Float[np.ndarray, "row repetition target"]
    folds: Int[np.ndarray, " row"]
    example: Int[np.ndarray, " row"]
    lines: Lines
    prepare: Prepare
    directions: AlongDirections
    settings: AnyProbeSettings

    @classmethod
    def of(
        cls,
        targets: Targets,
        rows: Int[np.ndarray, " here"],
        folds: Int[np.ndarray, " row"],
        settings: AnyProbeSettings,
    ) -> "Job":
        """Take the rows of one position and shuffle their labels."""
        kind = KINDS[settings.kind]
        rows = rows if not kind.pools else _by_example(targets, rows)
        values = targets.values[rows]
        layout = Layout(targets.unit[rows], targets.example[rows], folds[rows])
        orders = [
            kind.shuffle(layout, settings.seed * 1000 + number)
            for number in range(settings.shuffles)
        ]
        return cls(
            position=str(targets.position[rows[0]]),
            rows=rows,
            y=np.stack([values, *(values[order] for order in orders)], axis=1),
            folds=folds[rows],
            example=np.unique(targets.example[rows], return_inverse=True)[1].reshape(-1),
            lines=kind.lines(settings, targets, rows, folds),
            prepare=kind.prepare(settings, targets, rows),
            directions=kind.directions(settings, targets, rows),
            settings=settings,
        )

    @property
    def fault(self) -> str:
        """Say why no probe can be fitted at this position, or nothing."""
        seen = len(np.unique(self.folds))
        if seen < self.settings.folds:
            return (
                f"its {len(self.rows)} rows reach only {seen} of {self.settings.folds} folds; "
                "ask for fewer folds, or give more labels"
            )
        if len(self.lines.rows) == 0:
            return (
                "no comparison of two items of one fold has a winner; ask for fewer folds, or give "
                "more comparisons"
            )
        for pair in combinations(range(seen), 2):
            if (np.ptp(self.y[~np.isin(self.folds, pair), 0], axis=0) == 0).any():
                return (
                    "without two of the folds, all labels are the same; give more rows whose "
                    "labels differ from the rest"
                )
        return ""

    def run(self, hooks: Sequence[HookPoint], x: Float[Tensor, "layer row d"]) -> list[Swept]:
        """Fit a batch of hook points, the labels and their shuffles at once."""
        penalties, metric = self.settings.penalties, METRICS[self.settings.metric]
        problem = self._problem(x, self.y)
        solver = self.prepare(problem)
        scoring = Scoring.of(self.lines, self.folds, self.y)
        found = nested(solver, scoring, penalties, metric)
        grid = torch.tensor(penalties, dtype=torch.float64)
        readers = solver.final(grid[torch.from_numpy(found.final[:, 0])])
        swept: list[Swept] = []
        for layer, (hook, reader) in enumerate(zip(hooks, readers, strict=True)):
            columns = Columns.of(found, layer, scoring.truth)
            one = Swept(
                place=Place(hook, self.position),
                rows=self.rows[self.lines.rows],
                other=None if self.lines.other is None else self.rows[self.lines.other],
                columns=columns[:1],
                controls={},
                chosen=found.chosen[layer, :, 0],
                by_penalty=found.by_penalty[layer, :, 0],
                final=int(found.final[layer, 0]),
                at_edge=bool(found.at_edge[layer]),
                separated=self._separated(reader, problem, layer),
                reader=reader,
            )
            swept.append(one.with_control(SHUFFLED, columns[1:]) if len(columns) > 1 else one)
        return self._with_directions(swept, x) if self.settings.directions else swept

    def _separated(self, reader: Reader, problem: Problem, layer: int) -> bool:
        """Whether a fit that only its penalty keeps finite has every line on its label's side."""
        if not self.settings.diverges:
            return False
        said = self.lines.said(
            read_rows(reader, problem.x[layer], problem.example).numpy()[:, None]
        )
        truth = self.lines.truth(self.y[:, :1])
        if METRICS[self.settings.metric].two_classes:
            return bool(((said > 0) == (truth > 0.5)).all())
        return bool((said == truth).all())

    def _with_directions(
        self, swept: Sequence[Swept], x: Float[Tensor, "layer row d"]
    ) -> list[Swept]:
        """Add the random-direction control: the same rows, folds and metric."""
        number, seed = self.settings.directions, self.settings.seed
        drawn = [draw_directions(str(one.place), seed, x.shape[2], number) for one in swept]
        reader = self.directions(self._problem(x, self.y[:, :1]), torch.stack(drawn))
        scoring = Scoring.of(self.lines, self.folds, np.repeat(self.y[:, :1], number, axis=1))
        found = nested(reader, scoring, (0.0,), METRICS[self.settings.metric])
        return [
            one.with_control(DIRECTION, Columns.of(found, layer, scoring.truth))
            for layer, one in enumerate(swept)
        ]

    def _problem(
        self, x: Float[Tensor, "layer row d"], y: Float[np.ndarray, "row repetition target"]
    ) -> Problem:
        return Problem(
            x, torch.from_numpy(y), torch.from_numpy(self.folds), torch.from_numpy(self.example)
        )


def _by_example(targets: Targets, rows: Int[np.ndarray, " row"]) -> Int[np.ndarray, " row"]:
    """Put the rows of each example one after another, in the order of its tokens."""
    return rows[np.lexsort((targets.token[rows], targets.example[rows]))]
