"""How a dictionary learnt: FVU by step, active and dead latents, and held-out figures beside."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sonde.core.errors import SondeError
from sonde.report.sections.training_curves_chart import dead_chart, fvu_chart, l0_chart
from sonde.report.wording import count, counted, figure, interval_text, magnitude, share
from sonde.stats.interval import Interval

COLOURS = 6


@dataclass(frozen=True, slots=True)
class TrainingCurve:
    """A value at each step, None where there is none, and the figure on held-out rows."""

    name: str
    values: tuple[float | None, ...]
    held_out: Interval | None = None

    @property
    def known(self) -> tuple[float, ...]:
        """The values that are there, in the order of the steps."""
        return tuple(one for one in self.values if one is not None and math.isfinite(one))


@dataclass(frozen=True, slots=True)
class TrainingCurves:
    """One dictionary's training, at steps in rising order.

    ``fvu`` is that of the whole dictionary first, then of nested ones or of single targets: of some
    rows that training never sees where ``unseen``, else of each step's batch. ``l0``
    is the mean number of active latents a row; ``dead`` the share that was active in none of the
    last ``window`` rows. ``batch`` is how many rows a step has.
    """

    steps: tuple[int, ...]
    fvu: tuple[TrainingCurve, ...]
    l0: TrainingCurve
    dead: TrainingCurve
    batch: int
    window: int
    unseen: bool = False
    note: str = ""
    title: str = "Training"
    kind: ClassVar[str] = "training_curves"

    def __post_init__(self) -> None:
        if not self.steps or not self.fvu:
            raise SondeError("Training curves need a step, and the FVU of one dictionary.")
        if len(self.fvu) > COLOURS:
            raise SondeError(
                f"{len(self.fvu)} curves cannot be told apart in one chart.",
                fix=f"Show {COLOURS} at most, or make a second section.",
            )
        if list(self.steps) != sorted(set(self.steps)):
            raise SondeError(f"The steps {self.steps} are not in rising order.")
        for curve in (*self.fvu, self.l0, self.dead):
            if len(curve.values) != len(self.steps):
                raise SondeError(
                    f"The curve {curve.name!r} has {len(curve.values)} values for "
                    f"{len(self.steps)} steps.",
                    fix="Give one value a step, None where there is none.",
                )


def prepare(section: TrainingCurves) -> dict[str, Any]:
    """Return what the template shows."""
    several = len(section.fvu) > 1
    return {
        "sentence": sentence(section),
        "fvu_chart": fvu_chart(section),
        "l0_chart": l0_chart(section),
        "dead_chart": dead_chart(section),
        "legend": [(f"s{at}", one.name) for at, one in enumerate(section.fvu)] if several else [],
        "window": counted(section.window, "row"),
        "level": _level(section.fvu),
        "header": [
            "Step",
            *(f"FVU, {one.name}" if several else "FVU" for one in section.fvu),
            "L0",
            "Dead",
        ],
        "rows": _rows(section),
    }


def sentence(section: TrainingCurves) -> str:
    """Say from where to where FVU went, what it is on held-out rows, and what became of latents."""
    whole = section.fvu[0]
    steps = f"{counted(section.steps[-1] + 1, 'step')} of {counted(section.batch, 'row')}"
    said: list[str] = []
    if len(whole.known) > 1:
        first, last = whole.known[0], whole.known[-1]
        moved = "fell" if last < first else "rose"
        rows = "the first held-out rows" if section.unseen else "the training batches"
        said.append(f"In {steps} FVU on {rows} {moved} from {figure(first)} to {figure(last)}")
    else:
        said.append(f"There were {steps}")
    if whole.held_out is not None and math.isfinite(whole.held_out.value):
        every = "all of them" if section.unseen else "rows held out"
        said.append(f"; on {every} it is {interval_text(whole.held_out)}")
    said.append(".")
    if section.l0.known and section.dead.known:
        active, dead = section.l0.known[-1], section.dead.known[-1]
        said.append(
            f" In the last batch {magnitude(active)} latents are active a row, and "
            f"{'none is' if not dead else f'{share(dead)} are'} dead."
        )
    return "".join(said)


def _rows(section: TrainingCurves) -> list[list[str]]:
    rows = [
        [
            count(step),
            *(figure(one.values[at], 3) for one in section.fvu),
            magnitude(section.l0.values[at]),
            percent(section.dead.values[at]),
        ]
        for at, step in enumerate(section.steps)
    ]
    held = [one.held_out for one in section.fvu]
    if any(held):
        last = [interval_text(one, 3) for one in held]
        rows.append(["held out", *last, interval_text(section.l0.held_out, 1), percent(None)])
    return rows


def percent(value: float | None) -> str:
    """Write a share, or a dash where there is none."""
    return share(math.nan if value is None else value)


def _level(curves: Sequence[TrainingCurve]) -> str:
    held = [one.held_out for one in curves if one.held_out is not None]
    return f"{100 * held[0].level:g} %" if held else ""
