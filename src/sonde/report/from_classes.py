"""The confusion matrix of probes of two classes, with the share of each class that was found."""

from sonde.report.from_results import Results, several_results
from sonde.report.sections.text import Table

NOTE = (
    "Each row was read by a fit that had not seen it, at the layer chosen inside the training "
    "folds. Recall is the share of a class that was read as what it is: a probe that gives one "
    "answer to everything has a recall of 0 in the other class, however high its accuracy."
)


def classes_from(results: Results) -> tuple[Table, ...]:
    """Count the rows by what they are and what they were read as, a table for each pair of classes.

    Results that fitted numbers have none.
    """
    found = [(name, one.confusion) for name, one in several_results(results)]
    known = [(name, matrix) for name, matrix in found if matrix is not None]
    return tuple(
        Table(
            columns=("Probe", "Is", *(f"Read as {label}" for label in labels), "Recall"),
            rows=tuple(
                (name, label, *map(int, counts), float(recall))
                for name, matrix in known
                if matrix.labels == labels
                for label, counts, recall in zip(labels, matrix.counts, matrix.recalls, strict=True)
            ),
            title="What was read as what",
            note=NOTE,
        )
        for labels in dict.fromkeys(matrix.labels for _, matrix in known)
    )
