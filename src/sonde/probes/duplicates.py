"""The same text under two ids: one would be tested on what the other taught.

Folds keep groups whole, so a text that occurs in several groups can lie on both sides of one. Then
a probe may answer from memory, and its score says nothing of other texts.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from sonde.activations.activations import Activations
from sonde.core.errors import SondeError
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.targets import Targets
from sonde.stats.leaks import Leak, duplicates

SHOWN = 3  # pairs of ids in a sentence


def without_duplicates(acts: Activations, targets: Targets, settings: AnyProbeSettings) -> Targets:
    """Make one group of groups that share a text, or the activations of one, and say so.

    Texts are compared without regard to case and spacing, activations bit by bit.

    Raises:
        SondeError: there are such groups and the settings refuse them, or too few are left.
    """
    _, first = np.unique(targets.example, return_index=True)
    names, units = targets.example[first], targets.unit[first]
    merged, notes = units, list(targets.notes)
    contents = {"text": _texts(targets, names), "activations": _signatures(acts, targets, names)}
    for what, content in contents.items():
        known = np.array([bool(one) for one in content], bool)
        there = np.flatnonzero(known)
        leaks = duplicates([content[at] for at in there], merged[known]).found if any(known) else ()
        if not leaks:
            continue
        before, merged = len(np.unique(merged)), _united(merged, leaks)
        said = _said(what, leaks, names[known])
        if settings.duplicates == "error":
            raise SondeError(
                f"{said}, so the folds leak.",
                fix="Leave repetitions out, give them one group, or write duplicates: merge.",
            )
        if settings.duplicates == "allow":
            notes.append(f"{said}; the folds leak, as duplicates: allow lets them.")
            continue
        after = len(np.unique(merged))
        notes.append(f"{said}; these were put together: {after:,} of {before:,} groups are left.")
        _enough(said, before, after, settings)
    if settings.duplicates == "allow":
        merged = units
    of_example = dict(zip(names.tolist(), merged.tolist(), strict=True))
    unit = np.array([of_example[name] for name in targets.example.tolist()], str)
    return replace(targets, unit=unit, notes=tuple(notes))


def _enough(said: str, before: int, after: int, settings: AnyProbeSettings) -> None:
    if after < settings.folds <= before:
        raise SondeError(
            f"{said}; put together, {after} of {before} groups are left, too few for "
            f"{settings.folds} folds.",
            fix="Leave repetitions out; duplicates: allow keeps the groups apart, and leaks.",
        )


def _said(what: str, leaks: Sequence[Leak], names: np.ndarray) -> str:
    pairs = [" and ".join(map(repr, names[list(leak.rows[:2])].tolist())) for leak in leaks[:SHOWN]]
    more = ["…"] if len(leaks) > SHOWN else []
    s = "s" if len(leaks) > 1 else ""
    subject = (
        f"{len(leaks):,} text{s} {'occur' if s else 'occurs'}"
        if what == "text"
        else f"The activations of {len(leaks):,} text{s} occur"
    )
    return f"{subject} in several groups ({'; '.join([*pairs, *more])})"


def _texts(targets: Targets, names: np.ndarray) -> list[str]:
    return [targets.texts.get(name, "").strip() for name in names.tolist()]


def _signatures(acts: Activations, targets: Targets, names: np.ndarray) -> list[str]:
    """Hash each example's rows at the deepest hook point where examples differ.

    Shallow ones see little context: at block 0 all texts that end in a full stop may look alike
    without being the same.
    """
    order = np.lexsort((targets.token, targets.position, targets.example))
    _, starts = np.unique(targets.example[order], return_index=True)
    rows_of = np.split(order, starts[1:])
    for hook in reversed(acts.hooks):
        rows = acts.tensor(hook)[torch.from_numpy(targets.index)]
        rows = rows.reshape(len(rows), -1)
        finite = rows.isfinite().all(dim=1).numpy()
        raw = rows.contiguous().view(torch.uint8).numpy()
        found = [_digest(raw, targets, one) if finite[one].all() else "" for one in rows_of]
        if len(set(found)) > 1:
            return found
    return [""] * len(names)


def _digest(raw: np.ndarray, targets: Targets, rows: np.ndarray) -> str:
    seen = hashlib.blake2b(digest_size=16)
    for row in rows.tolist():
        seen.update(f"{targets.position[row]} {targets.token[row]} ".encode())
        seen.update(raw[row].tobytes())
    return seen.hexdigest()


def _united(units: np.ndarray, leaks: Sequence[Leak]) -> np.ndarray:
    """Give groups that leak into each other, directly or through others, one name."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.get(name, name) != name:
            parent[name] = parent.get(parent[name], parent[name])
            name = parent[name]
        return name

    for leak in leaks:
        head = root(leak.where[0])
        for other in leak.where[1:]:
            parent[root(other)] = head
    return np.array([root(name) for name in units.tolist()], str)
