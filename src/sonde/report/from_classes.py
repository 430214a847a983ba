"""Confusion matrices of probes of classes, with the share of each class that was found."""

from dataclasses import replace

from sonde.report.from_results import Results, several_results
from sonde.report.sections.confusion_matrix import ConfusionMatrix
from sonde.report.sections.text import Table
from sonde.stats.confusion import Confusion

TITLE = "What was read as what"
HOW = (
    "Each row was read by a fit that had not seen it, at the layer chosen inside the training "
    "folds."
)
NOTE = (
    f"{HOW} Recall is the share of a class that was read as what it is: a probe that gives one "
    "answer to everything has a recall of 0 in the other class, however high its accuracy."
)


def classes_from(results: Results) -> tuple[Table | ConfusionMatrix, ...]:
    """Count the rows by what they are and what they were read as.

    Probes of the same two classes share a table; a probe of more classes has a matrix of its own.
    Results that fitted numbers have none. Of several sections each has what it shows in its title.
    """
    found = [(name, one.confusion) for name, one in several_results(results)]
    known = [(name, matrix) for name, matrix in found if matrix is not None]
    pairs = dict.fromkeys(matrix.labels for _, matrix in known if len(matrix.labels) == 2)
    found = (
        *((" or ".join(labels), _table(labels, known)) for labels in pairs),
        *((name, _matrix(name, matrix)) for name, matrix in known if len(matrix.labels) > 2),
    )
    if len(found) < 2:
        return tuple(one for _, one in found)
    return tuple(replace(one, title=f"{TITLE}: {says}") for says, one in found)


def _table(labels: tuple[str, ...], known: list[tuple[str, Confusion]]) -> Table:
    return Table(
        columns=("Probe", "Is", *(f"Read as {label}" for label in labels), "Recall"),
        rows=tuple(
            (name, label, *map(int, counts), float(recall))
            for name, matrix in known
            if matrix.labels == labels
            for label, counts, recall in zip(labels, matrix.counts, matrix.recalls, strict=True)
        ),
        title=TITLE,
        note=NOTE,
    )


def _matrix(name: str, matrix: Confusion) -> ConfusionMatrix:
    counts = tuple(tuple(map(int, row)) for row in matrix.counts.tolist())
    return ConfusionMatrix(matrix.labels, counts, name, HOW)
