"""Labels as numbers, joined to the rows of the activations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

import numpy as np

from sonde.activations.activations import Activations, RowTable
from sonde.core.errors import SondeError, nearest
from sonde.core.files import fingerprint
from sonde.data.accounting import NAN, Joined, JoinReport, join
from sonde.data.examples import Example, Label

# Examples, a mapping from example id to label, or one label for each row.
Labels: TypeAlias = Sequence[Example] | Mapping[str, Label] | np.ndarray | Sequence[float | str]


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """The labelled rows: ``index`` into the activations and arrays in its order.

    ``values`` are the numbers to fit (1 for the positive class, 0 for the other), ``labels`` the
    classes' names as (negative, positive) where there are classes, ``unit`` each row's group: rows
    of one example share one at least. ``texts`` holds the words of each example where known.
    """

    index: np.ndarray  # int64
    values: np.ndarray  # float64
    example: np.ndarray  # str
    position: np.ndarray  # str
    token: np.ndarray  # int32
    unit: np.ndarray  # str
    labels: tuple[str, ...]
    report: JoinReport
    notes: tuple[str, ...]
    texts: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any label, or with the rows that have one."""
        columns = (self.example, self.position, self.token, self.values)
        return fingerprint([column.tolist() for column in columns])


def class_targets(acts: Activations, y: Labels, positive: str | None) -> Targets:
    """Join two-class labels with the activations' rows.

    Raises:
        SondeError: nothing joins, there are not exactly two classes, or ``positive`` is neither.
    """
    joined = _joined(acts, y)
    names = np.array([_class_name(label) for label in joined.labels.tolist()])
    classes = np.unique(names).tolist()
    if len(classes) != 2:
        shown = ", ".join(map(repr, classes[:5])) + (" …" if len(classes) > 5 else "")
        raise SondeError(
            f"The labels have {len(classes)} class{'es' if len(classes) > 1 else ''} ({shown}); "
            "this probe separates two.",
            fix="Keep the examples of two classes, or fit numbers with a ridge probe."
            if len(classes) > 2
            else "Give examples of a second class.",
        )
    if positive is not None and positive not in classes:
        raise SondeError(
            f"positive={positive!r} is not one of the classes.{nearest(positive, classes)}",
            fix=f"The classes are {classes[0]!r} and {classes[1]!r}.",
        )
    upper = positive or classes[1]
    lower = next(name for name in classes if name != upper)
    values = (names == upper).astype(np.float64)
    return _targets(acts, y, joined, values, (lower, upper), ())


def number_targets(acts: Activations, y: Labels) -> Targets:
    """Join numbers with the activations' rows; two classes become 0 and 1, which a note says.

    Raises:
        SondeError: nothing joins, the labels are text of other than two classes, one is infinite,
            or all are equal.
    """
    joined = _joined(acts, y)
    labels: tuple[str, ...] = ()
    if joined.labels.dtype.kind in "fiub":
        values = joined.labels.astype(np.float64)
    else:
        classes = np.unique(joined.labels).tolist()
        if len(classes) != 2:
            raise SondeError(
                f"A ridge probe fits numbers; the labels are text, such as {classes[0]!r}.",
                fix="Give numbers, or two classes (which become 0 and 1), or use a logistic probe.",
            )
        values, labels = (joined.labels == classes[1]).astype(np.float64), (classes[0], classes[1])
    if not np.isfinite(values).all():
        first = str(acts.rows.example[joined.index[~np.isfinite(values)][0]])
        raise SondeError(f"The label of example {first!r} is infinite.", fix="Give a number.")
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        raise SondeError(
            f"All {len(values)} labels are {values[0]:g}: there is nothing to predict.",
            fix="Give labels that differ.",
        )
    mapped = (f"{labels[0]!r} was fitted as 0 and {labels[1]!r} as 1.",) if labels else ()
    return _targets(acts, y, joined, values, labels, mapped)


def _joined(acts: Activations, y: Labels) -> Joined:
    rows = acts.rows
    if not isinstance(y, Mapping) and not _are_examples(y):
        return _aligned(rows, np.asarray(y))
    known = {
        name: group
        for name, group in zip(rows.example.tolist(), rows.group.tolist(), strict=True)
        if group
    }
    if not isinstance(y, Mapping):
        known |= {item.id: item.group for item in y if item.group}
    skipped = {item.example: item.reason for item in acts.skipped}
    return join(rows.example, y, skipped=skipped, groups=known)


def _are_examples(y: Labels) -> TypeGuard[Sequence[Example]]:
    return isinstance(y, Sequence) and len(y) > 0 and isinstance(y[0], Example)


def _aligned(rows: RowTable, y: np.ndarray) -> Joined:
    """Join an array that has one label for each row: only NaN is left out."""
    if y.shape != (len(rows),):
        raise SondeError(
            f"The labels have shape {y.shape}; the activations have {len(rows)} rows.",
            fix="Give one label for each row, or a mapping from example id to label.",
        )
    values = y.astype(str) if y.dtype.kind in "OUS" else y.astype(np.float64)
    absent = np.isnan(values) if values.dtype.kind == "f" else values == "nan"
    index = np.flatnonzero(~absent)
    names = np.unique(rows.example)
    lost = np.setdiff1d(names, rows.example[index])
    reasons = {NAN: tuple(map(str, lost))} if len(lost) else {}
    report = JoinReport(len(names), len(names), len(names) - len(lost), reasons, dict(reasons))
    if not len(index):
        raise SondeError("Every label is NaN.", fix="Give labels.")
    groups = np.where(rows.group == "", rows.example, rows.group)[index]
    return Joined(index, values[index], groups, report)


def _targets(
    acts: Activations,
    y: Labels,
    joined: Joined,
    values: np.ndarray,
    labels: tuple[str, ...],
    mapped: tuple[str, ...],
) -> Targets:
    rows, index = acts.rows, joined.index
    notes = [str(joined.report)] if _incomplete(joined.report) else []
    notes += [
        f"The label of example {name!r} is NaN; it was left out."
        for name in joined.report.labels_lost.get(NAN, ())[:5]
    ]
    return Targets(
        index=index,
        values=values,
        example=rows.example[index],
        position=rows.position[index],
        token=rows.token[index],
        unit=joined.groups,
        labels=labels,
        report=joined.report,
        notes=(*notes, *mapped),
        texts={it.id: _text(it) for it in y} if _are_examples(y) else {},
    )


def _incomplete(report: JoinReport) -> bool:
    return report.matched < max(report.labels, report.activations)


def _class_name(label: str | float) -> str:
    return label if isinstance(label, str) else f"{label:g}"


def _text(example: Example) -> str:
    prompt = example.prompt
    turns = [prompt] if isinstance(prompt, str) else [turn.content for turn in prompt]
    return "\n".join([*turns, example.response or ""])
