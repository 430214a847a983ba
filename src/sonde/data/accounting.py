"""The join of activations with labels: what matched, and why the rest did not.

A join that loses rows in silence makes every number after it doubtful, so each id of either side
ends either joined or listed with its reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from sonde.core.errors import SondeError
from sonde.data.examples import Example, Label
from sonde.data.labels import is_nan

Labels: TypeAlias = Mapping[str, Label] | Sequence[Example | tuple[str, Label]]
Known: TypeAlias = float | str | tuple[float, ...]
Reasons: TypeAlias = dict[str, tuple[str, ...]]

NEVER = "never extracted"
NO_LABEL = "no label"
EMPTY = "empty label"
NAN = "NaN label"
TWICE = "labelled twice, differently"


@dataclass(frozen=True, slots=True)
class JoinReport:
    """How a join went, in both directions.

    ``labels`` and ``activations`` count the different ids of each side, ``matched`` the ids in
    both; where labels were given row by row, all three count rows. ``labels_lost`` and
    ``activations_lost`` give, for each reason, the ids of that side without a partner; ``skipped``
    the reasons that extraction recorded, among ``labels_lost``.
    """

    labels: int
    activations: int
    matched: int
    labels_lost: Reasons = field(default_factory=dict)
    activations_lost: Reasons = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"{self.matched:,} of {self.labels:,} labels joined"]
        absent = {
            reason: ids
            for reason, ids in self.labels_lost.items()
            if reason == NEVER or reason in self.skipped
        }
        if absent:
            total = sum(map(len, absent.values()))
            causes = [self._cause(reason, ids) for reason, ids in _largest_first(absent)]
            parts.append(f"{total:,} {_have(total)} no activations: {', '.join(causes)}")
        parts += [
            _UNUSABLE[reason].format(f"{len(ids):,} {_are(len(ids))}")
            for reason, ids in self.labels_lost.items()
            if reason not in absent
        ]
        unlabelled = len(self.activations_lost.get(NO_LABEL, ()))
        if unlabelled:
            parts.append(
                f"{unlabelled:,} of {self.activations:,} examples with activations "
                f"{_have(unlabelled)} no label"
            )
        return "; ".join(parts) + "."

    def _cause(self, reason: str, ids: Sequence[str]) -> str:
        verb = "was" if len(ids) == 1 else "were"
        if reason == NEVER:
            return f"{len(ids):,} {verb} never extracted (such as {_samples(ids)})"
        return f"{len(ids):,} {verb} skipped ({reason})"


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """The rows that have a label: ``index`` into the activations, int64 ``[row]``.

    ``labels`` is str ``[row]`` or float64 ``[row]`` (``[row, target]`` where each example has
    several numbers) and ``groups`` ``[row]`` str, both in the order of ``index``; an example
    without a group is a group of its own.
    """

    index: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    report: JoinReport


def join(
    row_ids: np.ndarray | Sequence[str],
    labels: Labels,
    *,
    skipped: Mapping[str, str] | None = None,
    groups: Mapping[str, str | None] | None = None,
) -> Joined:
    """Join activation rows with labels by example id.

    ``row_ids`` ``[row]`` names the example of each row (several rows may share one), ``skipped``
    the reason for each example that extraction left out. Groups come from ``groups``, else from
    the examples, where labels are given as those.

    Raises:
        SondeError: nothing joins, labels are partly numbers and partly text, or not all of them are
            the same number of numbers.
    """
    rows = [str(name) for name in row_ids]
    by_id, twice = _by_id(labels)
    faults = {name: _fault(name, label, twice) for name, label in by_id.items()}
    present = dict.fromkeys(rows)
    usable, report = _account(present, by_id, faults, skipped or {})
    if not usable:
        raise _nothing_joined(report, list(by_id), list(present))
    index = [number for number, name in enumerate(rows) if name in usable]
    known = _groups(labels) if groups is None else groups
    return Joined(
        index=np.asarray(index, np.int64),
        labels=_array([usable[rows[number]] for number in index], usable),
        groups=np.asarray([known.get(rows[number]) or rows[number] for number in index], str),
        report=report,
    )


def _account(
    present: Mapping[str, None],
    by_id: Mapping[str, Label],
    faults: Mapping[str, str],
    skipped: Mapping[str, str],
) -> tuple[dict[str, Known], JoinReport]:
    """Return the labels that join, and the reason for every other id of either side."""
    usable: dict[str, Known] = {}
    lost: dict[str, list[str]] = {}
    for name, label in by_id.items():
        fault = faults[name] or ("" if name in present else skipped.get(name, NEVER))
        if fault or label is None:
            lost.setdefault(fault, []).append(name)
        else:
            usable[name] = label
    unused: dict[str, list[str]] = {}
    for name in present:
        if name not in usable:
            unused.setdefault(faults.get(name, NO_LABEL), []).append(name)
    return usable, JoinReport(
        labels=len(by_id),
        activations=len(present),
        matched=len(usable),
        labels_lost=_frozen(lost),
        activations_lost=_frozen(unused),
        skipped=tuple(reason for reason in lost if reason in set(skipped.values())),
    )


def _frozen(reasons: Mapping[str, list[str]]) -> Reasons:
    return {reason: tuple(ids) for reason, ids in reasons.items()}


def _nothing_joined(report: JoinReport, labels: list[str], present: list[str]) -> SondeError:
    return SondeError(
        f"{report} Labels have ids such as {_samples(labels)}, activations such as "
        f"{_samples(present)}.",
        fix="Give labels whose ids are those of the examples that were extracted.",
    )


def _by_id(labels: Labels) -> tuple[dict[str, Label], set[str]]:
    """Return the label of each id, and the ids that have two different ones."""
    pairs: Iterable[tuple[str, Label]]
    if isinstance(labels, Mapping):
        pairs = labels.items()
    else:
        pairs = ((it.id, it.label) if isinstance(it, Example) else it for it in labels)
    found: dict[str, Label] = {}
    twice: set[str] = set()
    for given, value in pairs:
        name, label = str(given), _plain(value)
        if name in found and not _same(found[name], label):
            twice.add(name)
        found.setdefault(name, label)
    return found, twice


def _plain(label: Label) -> Label:
    """Return numpy's and Python's numbers as float, several as a tuple, others as they are."""
    if label is None or isinstance(label, str):
        return label
    if isinstance(label, Iterable):
        return tuple(map(float, label))
    return float(label)


def _same(one: Label, other: Label) -> bool:
    return one == other or (is_nan(one) and is_nan(other))


def _fault(name: str, label: Label, twice: set[str]) -> str:
    """Return why a label cannot be used; empty where it can."""
    if name in twice:
        return TWICE
    if label is None or label == "":
        return EMPTY
    return NAN if is_nan(label) else ""


def _groups(labels: Labels) -> Mapping[str, str | None]:
    if isinstance(labels, Mapping):
        return {}
    return {item.id: item.group for item in labels if isinstance(item, Example)}


def _array(values: Sequence[Known], usable: Mapping[str, Known]) -> np.ndarray:
    texts = [name for name, label in usable.items() if isinstance(label, str)]
    if texts and len(texts) < len(usable):
        number = next(name for name, label in usable.items() if not isinstance(label, str))
        raise SondeError(
            f"Labels are partly text ({texts[0]!r} has {usable[texts[0]]!r}) and partly numbers "
            f"({number!r} has {usable[number]!r}).",
            fix="Give classes as text or values as numbers, not both.",
        )
    widths = {name: len(label) if isinstance(label, tuple) else 1 for name, label in usable.items()}
    if len(set(widths.values())) > 1:
        most, least = (
            max(widths, key=lambda name: widths[name]),
            min(widths, key=lambda name: widths[name]),
        )
        raise SondeError(
            f"The label of {most!r} is {widths[most]} numbers, that of {least!r} {widths[least]}.",
            fix="Give every example as many numbers.",
        )
    return np.asarray(values, str if texts else np.float64)


_UNUSABLE = {
    EMPTY: "{} empty",
    NAN: "{} NaN",
    TWICE: "{} given twice, with different values",
}


def _largest_first(reasons: Reasons) -> list[tuple[str, tuple[str, ...]]]:
    return sorted(reasons.items(), key=lambda item: -len(item[1]))


def _samples(ids: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in ids[:2]) or "none"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
