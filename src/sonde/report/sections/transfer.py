"""What a probe fitted on one data set, model or layer scores on others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sonde.core.errors import SondeError
from sonde.report.matrix import Cell, Grid, drawings, step_of
from sonde.report.wording import MISSING, count, figure, interval_text, listed
from sonde.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class TransferCell:
    """The score on ``test`` of a probe fitted on ``train``; None where there is none.

    ``note`` says why there is none, or what is particular.
    """

    train: str
    test: str
    score: Interval | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class TransferMatrix:
    """Scores of probes on what they were fitted on (out of fold) and on what they were not.

    A score at ``chance`` says nothing, one at ``ceiling`` is perfect.
    """

    cells: tuple[TransferCell, ...]
    metric: str = "AUROC"
    chance: float = 0.5
    ceiling: float = 1.0
    note: str = ""
    title: str = "Trained here, tested there"
    kind: ClassVar[str] = "transfer"

    def __post_init__(self) -> None:
        pairs = [(cell.train, cell.test) for cell in self.cells]
        if not pairs:
            raise SondeError("A transfer matrix needs at least one cell.")
        twice = next((pair for number, pair in enumerate(pairs) if pair in pairs[:number]), None)
        if twice is not None:
            raise SondeError(
                f"There are two scores of training on {twice[0]!r} and testing on {twice[1]!r}.",
                fix="Give one cell for each pair.",
            )

    @property
    def rows(self) -> tuple[str, ...]:
        """What was trained on, in the order given."""
        return tuple(dict.fromkeys(cell.train for cell in self.cells))

    @property
    def columns(self) -> tuple[str, ...]:
        """What was tested on: first what was trained on too, so that a diagonal is one."""
        tested = dict.fromkeys(cell.test for cell in self.cells)
        both = [name for name in self.rows if name in tested]
        return (*both, *(name for name in tested if name not in both))


def prepare(section: TransferMatrix) -> dict[str, Any]:
    """Return what the template shows."""
    grid = _grid(section) if len(section.cells) > len(section.rows) else _column(section)
    return {
        "sentence": sentence(section),
        "drawings": drawings(grid),
        "header": ["Trained on", "Tested on", section.metric, "n", "Note"],
        "rows": [
            [
                cell.train,
                cell.test,
                interval_text(cell.score, 3),
                count(cell.score.n) if cell.score else MISSING,
                cell.note,
            ]
            for cell in section.cells
        ],
    }


def _grid(section: TransferMatrix) -> Grid:
    """Lay every pair out; what was not tried is hatched."""
    missing = {pair: TransferCell(*pair, None, "not tried") for pair in _pairs(section)}
    found = {**missing, **{(cell.train, cell.test): cell for cell in section.cells}}
    return Grid(
        section.rows,
        section.columns,
        tuple(
            tuple(_cell(section, found[row, column]) for column in section.columns)
            for row in section.rows
        ),
        "trained on",
        "tested on",
        f"{section.metric} of every pair. {sentence(section)}",
    )


def _column(section: TransferMatrix) -> Grid:
    """Lay out one test for each training, such as parts held out in turn, under each other."""
    return Grid(
        tuple(_named(cell) for cell in section.cells),
        (section.metric,),
        tuple((_cell(section, cell),) for cell in section.cells),
        "trained on → tested on",
        "",
        f"{section.metric}. {sentence(section)}",
        apart=0,
    )


def _pairs(section: TransferMatrix) -> list[tuple[str, str]]:
    return [(row, column) for row in section.rows for column in section.columns]


def _cell(section: TransferMatrix, cell: TransferCell) -> Cell:
    score = cell.score
    own = cell.train == cell.test
    if score is None or not math.isfinite(score.value):
        return Cell(
            MISSING, step=None, told=f"{_named(cell)}: {cell.note or 'no score'}", marked=own
        )
    reach = section.ceiling - section.chance
    step = step_of(score.value, section.chance - reach, section.chance, section.ceiling)
    words = interval_text(score)
    bracket = words.partition(" ")[2]
    told = f"{_named(cell)}: {words}, n = {count(score.n)}{'; ' if cell.note else ''}{cell.note}"
    return Cell(figure(score.value), (bracket, f"n {count(score.n)}"), step, told, own)


def _named(cell: TransferCell) -> str:
    return f"{cell.train} → {cell.test}"


def sentence(section: TransferMatrix) -> str:
    """Say how many transfers are above chance, the mean loss, and the best and the worst."""
    known = [(cell, cell.score) for cell in section.cells if cell.score and _known(cell.score)]
    away = [(cell, score) for cell, score in known if cell.train != cell.test]
    own = [score.value for cell, score in known if cell.train == cell.test]
    if not away:
        return "Nothing was tested on anything else than it was fitted on."
    above = sum(score.low > section.chance for _, score in away)
    said = (
        f"{count(above)} of {count(len(away))} transfers lie above chance "
        f"({figure(section.chance)}) with their whole interval"
    )
    if own:
        there = _mean([score.value for _, score in away])
        said += f"; the mean is {figure(there)} away and {figure(_mean(own))} at home"
    best = max(away, key=lambda item: item[1].value)
    worst = min(away, key=lambda item: item[1].value)
    ends = [f"the best is {_named(best[0])}, {interval_text(best[1])}"]
    if worst is not best:
        ends.append(f"the worst {_named(worst[0])}, {interval_text(worst[1])}")
    return f"{said}; {listed(ends)}."


def _known(score: Interval) -> bool:
    return math.isfinite(score.value)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
