"""One position's rows with what is fitted on them, and the fits of a batch of hook points."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.core.hooks import HookPoint
from sonde.models.devices import device_named
from sonde.probes.control import Layout
from sonde.probes.kinds import KINDS, AlongDirections
from sonde.probes.lines import Lines, Scoring
from sonde.probes.names import DIRECTION, SHUFFLED
from sonde.probes.nested import nested
from sonde.probes.problem import Problem
from sonde.probes.random_direction import draw_directions
from sonde.probes.reader import Reader, on_host, read_rows
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.solver import Prepare
from sonde.probes.swept import Columns, Place, Swept
from sonde.probes.targets import Targets
from sonde.stats.metrics import METRICS


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
        chosen = grid[torch.from_numpy(found.final[:, 0])].to(problem.x.device)
        readers = [on_host(reader) for reader in solver.final(chosen)]
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
            read_rows(reader, problem.x[layer], problem.example).cpu().numpy()[:, None]
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
        problem = self._problem(x, self.y[:, :1])
        reader = self.directions(problem, torch.stack(drawn).to(problem.x.device))
        scoring = Scoring.of(self.lines, self.folds, np.repeat(self.y[:, :1], number, axis=1))
        found = nested(reader, scoring, (0.0,), METRICS[self.settings.metric])
        return [
            one.with_control(DIRECTION, Columns.of(found, layer, scoring.truth))
            for layer, one in enumerate(swept)
        ]

    def _problem(
        self, x: Float[Tensor, "layer row d"], y: Float[np.ndarray, "row repetition target"]
    ) -> Problem:
        device = device_named(self.settings.device)
        of_rows = (torch.from_numpy(one) for one in (y, self.folds, self.example))
        return Problem(x.to(device), *(one.to(device) for one in of_rows))


def _by_example(targets: Targets, rows: Int[np.ndarray, " row"]) -> Int[np.ndarray, " row"]:
    """Put the rows of each example one after another, in the order of its tokens."""
    return rows[np.lexsort((targets.token[rows], targets.example[rows]))]
