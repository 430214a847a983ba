"""What rows of several classes were read as: counts, recalls, precisions, the usual mistakes."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from sonde.core.errors import SondeError
from sonde.report.colours import STEPS
from sonde.report.matrix import Cell, Grid, drawings, step_of
from sonde.report.wording import count, figure, share
from sonde.stats.confusion import Confusion

DRAWN = 16  # more classes are in the table only


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Rows by their class (down) and the class they were read as (across), ``[true][said]``."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    name: str = ""
    note: str = ""
    title: str = "What was read as what"
    kind: ClassVar[str] = "confusion_matrix"

    def __post_init__(self) -> None:
        wanted = len(self.classes)
        if wanted < 2 or [len(row) for row in self.counts] != [wanted] * wanted:
            raise SondeError(
                f"A confusion matrix of {wanted} classes has rows of "
                f"{[len(row) for row in self.counts]} counts.",
                fix="Give one row and one column a class, two classes at least.",
            )

    @property
    def confusion(self) -> Confusion:
        """The counts with their measures."""
        import numpy as np

        return Confusion(self.classes, np.array(self.counts))


def prepare(section: ConfusionMatrix) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "sentence": sentence(section),
        "drawings": drawings(_grid(section)) if len(section.classes) <= DRAWN else "",
        "header": ["Is", *(f"Read as {name}" for name in section.classes), "Rows", "Recall"],
        "rows": [*_rows(section), _precisions(section)],
        "steps": range(STEPS + 1),
    }


def _grid(section: ConfusionMatrix) -> Grid:
    recalls = section.confusion.recalls.tolist()
    cells = [
        (
            *(
                _cell(section, row, column, number, sum(counts))
                for column, number in enumerate(counts)
            ),
            _recall(section.classes[row], recalls[row]),
        )
        for row, counts in enumerate(section.counts)
    ]
    return Grid(
        section.classes,
        (*section.classes, "recall"),
        tuple(cells),
        "is",
        "read as",
        sentence(section),
        apart=1,
    )


def _cell(section: ConfusionMatrix, row: int, column: int, number: int, whole: int) -> Cell:
    part = number / whole if whole else math.nan
    step = step_of(part, -1.0, 0.0, 1.0)
    names = section.classes[row], section.classes[column]
    told = (
        f"{names[0]} read as {names[1]}: {count(number)} of {count(whole)}, {share(number, whole)}"
    )
    if row != column and step:
        step = -step  # mistakes are orange
    return Cell(count(number), (share(number, whole),), step, told, row == column)


def _recall(name: str, recall: float) -> Cell:
    return Cell(figure(recall), (), 0, f"{name}: {figure(recall)} of its rows were found")


def _rows(section: ConfusionMatrix) -> list[list[str]]:
    recalls = section.confusion.recalls.tolist()
    return [
        [name, *map(count, counts), count(sum(counts)), figure(recall, 3)]
        for name, counts, recall in zip(section.classes, section.counts, recalls, strict=True)
    ]


def _precisions(section: ConfusionMatrix) -> list[str]:
    found = section.confusion.precisions.tolist()
    whole = section.confusion.n
    return ["Precision", *(figure(value, 3) for value in found), count(whole), ""]


def sentence(section: ConfusionMatrix) -> str:
    """Say how many rows were read rightly, the mean recall, and the commonest mistake."""
    confusion = section.confusion
    if not confusion.n:
        return "No row was read."
    right = sum(section.counts[at][at] for at in range(len(section.classes)))
    known = [recall for recall in confusion.recalls.tolist() if math.isfinite(recall)]
    balanced = figure(sum(known) / len(known))
    said = (
        f"{count(right)} of {count(confusion.n)} rows ({share(right, confusion.n)}) were read as "
        f"what they are; the mean recall of the classes is {balanced}, where one answer to all "
        f"has {figure(1 / len(known))}."
    )
    most = _commonest(section)
    return f"{said} {most}" if most else f"{said} There is no mistake."


def _commonest(section: ConfusionMatrix) -> str:
    mistakes = [
        (number, row, column)
        for row, counts in enumerate(section.counts)
        for column, number in enumerate(counts)
        if row != column and number
    ]
    if not mistakes:
        return ""
    number, row, column = max(mistakes)
    whole = sum(section.counts[row])
    names = section.classes[row], section.classes[column]
    return (
        f"The commonest mistake: {names[0]} read as {names[1]}, {count(number)} of "
        f"{count(whole)} ({share(number, whole)})."
    )
