"""Folds that keep every group on one side."""

import numpy as np
from jaxtyping import Int

from sonde.core.errors import SondeError


def grouped_folds(
    groups: np.ndarray,
    n_folds: int,
    *,
    classes: np.ndarray | None = None,
    seed: int = 0,
) -> Int[np.ndarray, " row"]:
    """Deal groups into folds of nearly equal size; return the fold of each row.

    Rows with one value in ``groups`` share a fold. With ``classes`` (any values, one a row) each
    fold also gets nearly the same share of every class. Groups with the same make-up (so many rows
    of each class) are dealt round-robin in seeded order, so pairs and lone rows come out exactly
    even; what is left over goes, largest group first, to the fold that has the least of its
    classes.

    Args:
        groups: ``[row]``, the name or number of each row's group.
        n_folds: at least 2.
        classes: ``[row]``, what to stratify by, or None.
        seed: which of the equally good deals.

    Raises:
        SondeError: ``n_folds`` is below 2, or there are fewer groups than folds.
    """
    if n_folds < 2:
        raise SondeError(f"{n_folds} folds were asked for.", fix="Ask for at least 2.")
    names, group_of_row = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < n_folds:
        n_rows = len(group_of_row)
        groups_in_rows = f"{len(names)} group{'s' * (len(names) != 1)} in {n_rows} rows"
        alone = len(names) == n_rows
        raise SondeError(
            f"There are {n_rows} rows: too few for {n_folds} folds."
            if alone
            else f"There are {groups_in_rows}: too few for {n_folds} folds, because a group is "
            "never split.",
            fix=f"Ask for fewer folds, or give more {'rows' if alone else 'groups'}.",
        )
    make_up = _make_up(group_of_row, len(names), classes)
    fold_of_group = _deal(make_up, n_folds, np.random.default_rng(seed))
    return fold_of_group[group_of_row]


def _make_up(
    group_of_row: np.ndarray, n_groups: int, classes: np.ndarray | None
) -> Int[np.ndarray, "group class"]:
    """Count each group's rows of each class."""
    if classes is None:
        return np.bincount(group_of_row, minlength=n_groups)[:, None]
    kinds, class_of_row = np.unique(np.asarray(classes), return_inverse=True)
    flat = np.bincount(group_of_row * len(kinds) + class_of_row, minlength=n_groups * len(kinds))
    return flat.reshape(n_groups, len(kinds))


def _deal(
    make_up: Int[np.ndarray, "group class"], n_folds: int, rng: np.random.Generator
) -> Int[np.ndarray, " group"]:
    fold_of_group = np.full(len(make_up), -1)
    kinds, kind_of_group = np.unique(make_up, axis=0, return_inverse=True)
    members = _members(kind_of_group.reshape(-1), len(kinds))
    left_over: list[int] = []
    filled = np.zeros((n_folds, make_up.shape[1]))
    for kind, alike in enumerate(map(rng.permutation, members)):
        even = len(alike) // n_folds * n_folds
        fold_of_group[alike[:even]] = np.arange(even) % n_folds
        filled += kinds[kind] * (even // n_folds)
        left_over.extend(alike[even:])
    total = make_up.sum(axis=0).clip(min=1)
    for group in sorted(left_over, key=lambda one: -make_up[one].sum()):
        # The increase of sum over folds and classes of (share of the class)^2, were it put there.
        cost = ((2 * filled + make_up[group]) * make_up[group] / total**2).sum(axis=1)
        best = int(np.lexsort((rng.permutation(n_folds), filled.sum(axis=1), cost))[0])
        fold_of_group[group] = best
        filled[best] += make_up[group]
    return fold_of_group


def _members(kind_of_group: Int[np.ndarray, " group"], n_kinds: int) -> list[np.ndarray]:
    order = np.argsort(kind_of_group, kind="stable")
    return np.split(order, np.searchsorted(kind_of_group[order], np.arange(1, n_kinds)))
