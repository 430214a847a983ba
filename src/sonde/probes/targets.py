"""Labels as numbers, joined to the rows of the activations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sonde.activations.activations import Activations, RowTable
from sonde.core.errors import SondeError, nearest
from sonde.core.files import fingerprint
from sonde.data.accounting import NAN, Joined, JoinReport
from sonde.data.examples import Example
from sonde.probes.joined_labels import Given, Labels, are_examples, joined_labels

if TYPE_CHECKING:
    from sonde.probes.comparison_lines import Compared

__all__ = [
    "Given",
    "Labels",
    "Targets",
    "category_targets",
    "class_targets",
    "number_targets",
    "one_label_an_example",
]


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """The labelled rows: ``index`` into the activations and arrays in its order.

    ``values`` are the numbers to fit, ``[row, target]``: 1 for the positive class and 0 for the
    other of two, the number of the class among several, several numbers for several targets.
    ``labels`` names the classes, as (negative, positive) where there are two, or the targets where
    there are several. ``unit`` is each row's group: rows of one example share one at least.
    ``texts`` holds the words of each example where known, ``token_ids`` each row's token where
    labels are of single tokens.
    """

    index: np.ndarray  # int64
    values: np.ndarray  # float64 [row, target]
    example: np.ndarray  # str
    position: np.ndarray  # str
    token: np.ndarray  # int32
    unit: np.ndarray  # str
    labels: tuple[str, ...]
    report: JoinReport
    notes: tuple[str, ...]
    texts: Mapping[str, str]
    token_ids: np.ndarray | None = None  # int32
    compared: "Compared | None" = None  # comparisons of the items, where values are their numbers

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any label, or with the rows that have one."""
        values = self.values[:, 0] if self.values.shape[1] == 1 else self.values
        columns = (self.example, self.position, self.token, values)
        return fingerprint([column.tolist() for column in columns])

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty where numbers without names were given."""
        return self.labels if self.values.shape[1] == 1 else ()


def class_targets(acts: Activations, y: Labels, positive: str | None) -> Targets:
    """Join two-class labels with the activations' rows.

    Raises:
        SondeError: nothing joins, there are not exactly two classes, or ``positive`` is neither.
    """
    joined = joined_labels(acts, y)
    names, classes = _classes(joined)
    if len(classes) != 2:
        shown = ", ".join(map(repr, classes[:5])) + (" …" if len(classes) > 5 else "")
        raise SondeError(
            f"The labels have {len(classes)} class{'es' if len(classes) > 1 else ''} ({shown}); "
            "this probe separates two.",
            fix="Keep the examples of two classes, separate all with a multinomial probe, or fit "
            "numbers with a ridge probe."
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
    return _targets(acts, y, joined, names == upper, (lower, upper))


def category_targets(acts: Activations, y: Labels) -> Targets:
    """Join labels of two or more classes with the activations' rows; classes are sorted by name.

    Raises:
        SondeError: nothing joins, or there is one class only.
    """
    joined = joined_labels(acts, y)
    names, classes = _classes(joined)
    if len(classes) < 2:
        raise SondeError(
            f"The labels have 1 class ({classes[0]!r}); there is nothing to tell apart.",
            fix="Give examples of a second class.",
        )
    return _targets(acts, y, joined, np.searchsorted(classes, names), tuple(classes))


def one_label_an_example(targets: Targets, kind: str) -> Targets:
    """Refuse examples whose rows have different labels: a probe that pools says one thing of each.

    Raises:
        SondeError: the label varies within an example.
    """
    _, first, number = np.unique(targets.example, return_index=True, return_inverse=True)
    differ = (targets.values != targets.values[first][number.reshape(-1)]).any(axis=1)
    if differ.any():
        raise SondeError(
            f"The rows of example {str(targets.example[differ][0])!r} have different labels; "
            f"{'an' if kind[0] in 'aeiou' else 'a'} {kind} probe reads an example's rows together.",
            fix="Give one label an example, or fit a kind that reads each row alone.",
        )
    return targets


def number_targets(acts: Activations, y: Labels, names: Sequence[str] = ()) -> Targets:
    """Join numbers with the activations' rows; two classes become 0 and 1, which a note says.

    ``names`` are those of the targets, where each example has several numbers; by default those
    that the examples have.

    Raises:
        SondeError: nothing joins, the labels are text of other than two classes, one is infinite,
            all of a target are equal, there is not one name for each target, or examples name
            theirs differently.
    """
    joined = joined_labels(acts, y)
    mapped: tuple[str, ...] = ()
    if joined.labels.dtype.kind in "fiub":
        values = joined.labels.astype(np.float64).reshape(len(joined.labels), -1)
        labels = _target_names(values.shape[1], names or _own_names(y))
    else:
        classes = np.unique(joined.labels).tolist()
        if len(classes) == 1:
            raise SondeError(
                f"All {len(joined.labels)} labels are {classes[0]!r}: there is nothing to predict.",
                fix="Give numbers, or a second class (two become 0 and 1).",
            )
        if len(classes) != 2:
            raise SondeError(
                f"This probe fits numbers; the labels are text, such as {classes[0]!r}.",
                fix="Give numbers, or two classes (which become 0 and 1), or use a logistic probe.",
            )
        values, labels = joined.labels == classes[1], (classes[0], classes[1])
        mapped = (f"{labels[0]!r} was fitted as 0 and {labels[1]!r} as 1.",)
    found = _targets(acts, y, joined, values, labels, mapped)
    _check_numbers(found)
    return found


def _check_numbers(targets: Targets) -> None:
    several = targets.values.shape[1] > 1
    for number, values in enumerate(targets.values.T):
        of = f" of {targets.labels[number]}" if several else ""
        if not np.isfinite(values).all():
            first = str(targets.example[~np.isfinite(values)][0])
            raise SondeError(
                f"The label{of} of example {first!r} is infinite.", fix="Give a number."
            )
        if np.ptp(values) <= 1e-12 * np.abs(values).max():
            raise SondeError(
                f"All {len(values)} labels{of} are {values[0]:g}: there is nothing to predict.",
                fix="Give labels that differ." if not several else "Leave that target out.",
            )


def _target_names(n_targets: int, names: Sequence[str]) -> tuple[str, ...]:
    if names and len(names) != n_targets:
        raise SondeError(
            f"There are {len(names)} names ({', '.join(names)}) for {n_targets} targets.",
            fix="Give one name for each.",
        )
    if n_targets == 1:
        return ()
    return tuple(names) or tuple(f"target {number}" for number in range(n_targets))


def _own_names(y: Labels) -> tuple[str, ...]:
    """Return what the labelled examples call their numbers; empty where they have no names."""
    if not are_examples(y):
        return ()
    named: dict[tuple[str, ...], str] = {}
    for one in y:
        if isinstance(one.label, tuple):
            named.setdefault(one.label_names, one.where)
    if len(named) > 1:
        told = "; ".join(
            f"{where}: {', '.join(names) or 'none'}" for names, where in list(named.items())[:2]
        )
        raise SondeError(
            f"The labels of the examples have different names ({told}).",
            fix="Give every example the same numbers, in the same order.",
        )
    return next(iter(named), ())


def _classes(joined: Joined) -> tuple[np.ndarray, list[str]]:
    """Return each row's class by name, and the classes, sorted."""
    if joined.labels.ndim > 1:
        raise SondeError(
            f"Each example has {joined.labels.shape[1]} labels; this probe tells classes apart, "
            "one label an example.",
            fix="Give one class an example, or fit the numbers with a ridge probe.",
        )
    if joined.labels.dtype.kind == "f" and np.isinf(joined.labels).any():
        raise SondeError(
            f"{int(np.isinf(joined.labels).sum())} of {len(joined.labels)} labels are infinite, "
            "which names no class.",
            fix="Mend them, or leave their examples out.",
        )
    names = np.array([_class_name(label) for label in joined.labels.tolist()])
    return names, np.unique(names).tolist()


def _targets(
    acts: Activations,
    y: Labels,
    joined: Joined,
    values: np.ndarray,
    labels: tuple[str, ...],
    mapped: tuple[str, ...] = (),
) -> Targets:
    rows, index = acts.rows, joined.index
    notes = [str(joined.report)] if _incomplete(joined.report) else []
    notes += [
        f"The label of example {name!r} is NaN; it was left out."
        for name in joined.report.labels_lost.get(NAN, ())[:5]
    ]
    return Targets(
        index=index,
        values=values.astype(np.float64).reshape(len(index), -1),
        example=rows.example[index],
        position=rows.position[index],
        token=rows.token[index],
        unit=joined.groups,
        labels=labels,
        report=joined.report,
        notes=(*notes, *mapped),
        texts={it.id: _text(it) for it in y} if are_examples(y) else {},
        token_ids=rows.token_id[index] if _are_of_tokens(y, rows) else None,
    )


def _are_of_tokens(y: Labels, rows: RowTable) -> bool:
    """Whether each label is one token's, not its example's: one a row, where each token is one."""
    by_example = isinstance(y, Mapping) or are_examples(y)
    return not by_example and bool((rows.position == "all.each").all())


def _incomplete(report: JoinReport) -> bool:
    return report.matched < max(report.labels, report.activations)


def _class_name(label: str | float) -> str:
    if isinstance(label, str):
        return label
    return str(int(label)) if float(label).is_integer() else repr(float(label))


def _text(example: Example) -> str:
    prompt = example.prompt
    turns = [prompt] if isinstance(prompt, str) else [turn.content for turn in prompt]
    return "\n".join([*turns, example.response or ""])
