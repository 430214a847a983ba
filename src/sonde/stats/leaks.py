"""What lies on both sides of a split, and so lets a fit answer from memory."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from sonde.core.errors import SondeError

SHOWN = 3  # leaks named in a sentence


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing that occurs in several folds or groups (``where``), and its rows."""

    what: str
    where: tuple[str, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Leaks:
    """Everything that lies on both sides; ``rows`` counts the rows it touches, of ``n_rows``."""

    found: tuple[Leak, ...]
    rows: int
    n_rows: int
    kind: str
    sides: str

    def __bool__(self) -> bool:
        return bool(self.found)

    def __str__(self) -> str:
        if not self.found:
            return f"No {self.kind} lies in several {self.sides}."
        named = ", ".join(
            f"{_short(leak.what)} ({self.sides} {' and '.join(leak.where[:4])})"
            for leak in self.found[:SHOWN]
        )
        more = ", …" if len(self.found) > SHOWN else ""
        one = len(self.found) == 1
        return (
            f"{len(self.found)} {self.kind}{'' if one else 's'} {'lies' if one else 'lie'} in "
            f"several {self.sides}, in {self.rows} of {self.n_rows} rows: {named}{more}."
        )

    def refuse(self) -> None:
        """Raise where something leaks.

        Raises:
            SondeError: it says what leaks and how to split instead.
        """
        if self.found:
            raise SondeError(
                str(self),
                fix="Make the item (or the text) the group of its rows: groups are never split. "
                "For pairs, use pair_folds, which keeps both items of a pair on one side.",
            )


def shared_items(folds: Int[np.ndarray, " row"], *items: np.ndarray) -> Leaks:
    """Find items that occur in several folds, so that a fit has seen what it is tested on.

    Args:
        folds: ``[row]``, the fold of each row; rows with a negative fold are left out.
        items: ``[row]``, the item of each row; for pairwise data two of them, the first and the
            second of each pair. The same name is the same item on either place.

    Raises:
        SondeError: no items are given, or not one a row.
    """
    fold = np.asarray(folds)
    if not items or any(np.shape(one) != fold.shape for one in items):
        raise SondeError(
            f"The items have shapes {[list(np.shape(one)) for one in items]}; there are "
            f"{len(fold)} folds.",
            fix="Give one item a row, or two arrays of them for pairs.",
        )
    rows = np.tile(np.arange(len(fold)), len(items))
    names = np.concatenate([np.asarray(one).astype(str) for one in items])
    used = fold[rows] >= 0
    return _across(names[used], fold[rows[used]], rows[used], ("item", "folds"), len(fold))


def duplicates(texts: Iterable[str], groups: np.ndarray) -> Leaks:
    """Find texts that occur in several groups, which folds by group would not keep together.

    Texts are compared without regard to case and spacing.

    Args:
        texts: one a row (or any other content written as text: a hash of the activations, say).
        groups: ``[row]``, the group of each row.

    Raises:
        SondeError: there is not one group a text.
    """
    plain = np.array([" ".join(text.split()).casefold() for text in texts])
    group = np.asarray(groups)
    if group.shape != plain.shape:
        raise SondeError(
            f"There are {len(plain)} texts and groups of shape {list(group.shape)}.",
            fix="Give the group of each text.",
        )
    return _across(plain, group, np.arange(len(plain)), ("text", "groups"), len(plain))


def _across(
    names: np.ndarray, side: np.ndarray, rows: np.ndarray, words: tuple[str, str], n_rows: int
) -> Leaks:
    kinds, number = np.unique(names, return_inverse=True)
    _, place = np.unique(side, return_inverse=True)
    pairs = np.unique(np.stack([number.reshape(-1), place.reshape(-1)], axis=1), axis=0)
    several = np.flatnonzero(np.bincount(pairs[:, 0], minlength=len(kinds)) > 1)
    leaking = np.isin(number.reshape(-1), several)
    touched = np.unique(rows[leaking])
    found: list[Leak] = []
    order = np.argsort(number.reshape(-1), kind="stable")
    starts = np.searchsorted(number.reshape(-1)[order], np.r_[several, several + 1])
    for one, start, end in zip(
        several, starts[: len(several)], starts[len(several) :], strict=True
    ):
        mine = order[start:end]
        where = tuple(str(value) for value in np.unique(side[mine]))
        found.append(Leak(str(kinds[one]), where, tuple(np.unique(rows[mine]).tolist())))
    return Leaks(tuple(found), len(touched), n_rows, *words)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
