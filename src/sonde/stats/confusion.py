"""The whole confusion matrix, so that a probe that always says no is seen to."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sonde.core.errors import SondeError

ONE_SIDED = 0.95  # share of predictions from which one answer is looked at as the only one
RECOGNISED = 0.5  # share of the other classes' rows that must be found to be more than that


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Counts of rows by their true class (down) and the class that was said (across)."""

    labels: tuple[str, ...]
    counts: Int[np.ndarray, "true said"]

    @property
    def n(self) -> int:
        """The number of rows."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """Share of rows on the diagonal: sum_k C_kk / n. In [0, 1]."""
        return float(np.trace(self.counts) / self.n)

    @property
    def recalls(self) -> Float[np.ndarray, " class"]:
        """Of each class's rows, the share found: C_kk / sum_j C_kj. NaN where it has no row."""
        return _share(self.counts.diagonal(), self.counts.sum(axis=1))

    @property
    def precisions(self) -> Float[np.ndarray, " class"]:
        """Where a class was said, the share right: C_kk / sum_j C_jk. NaN where it never was."""
        return _share(self.counts.diagonal(), self.counts.sum(axis=0))

    @property
    def balanced_accuracy(self) -> float:
        """Mean of the recalls. In [0, 1]; 1 / classes if one answer is always given."""
        return float(self.recalls.mean())

    @property
    def mcc(self) -> float:
        """Matthews correlation: cov(said, true) / sqrt(cov(said, said) cov(true, true)).

        With indicator columns for the classes (Gorodkin 2004). In [-1, 1], 0 is chance; NaN where
        one class alone is true, or said.
        """
        true, said = self.counts.sum(axis=1).astype(float), self.counts.sum(axis=0).astype(float)
        covariance = np.trace(self.counts) * self.n - true @ said
        spread = (self.n**2 - said @ said) * (self.n**2 - true @ true)
        return float(covariance / np.sqrt(spread)) if spread > 0 else float("nan")

    @property
    def always_says(self) -> str:
        """A sentence where one answer is given nearly always and others are missed; else empty.

        That is: at least 95 % of predictions name one class, and of the other classes' rows fewer
        than half are recognised. An accuracy of 97 % can be that of a probe that always says no.
        """
        said = self.counts.sum(axis=0)
        top = int(said.argmax())
        others = np.delete(np.arange(len(said)), top)
        rest = int(self.counts[others].sum())
        found = int(self.counts.diagonal()[others].sum())
        if said[top] < ONE_SIDED * self.n or not rest or found >= RECOGNISED * rest:
            return ""
        return (
            f"It says {self.labels[top]!r} of {said[top] / self.n:.1%} of rows, and finds {found} "
            f"of the {rest} that are something else: the accuracy of {self.accuracy:.3f} is little "
            f"more than the {1 - rest / self.n:.3f} of always saying {self.labels[top]!r}; the "
            f"balanced accuracy is {self.balanced_accuracy:.3f}."
        )

    def __str__(self) -> str:
        width = max(map(len, (*self.labels, "true", str(int(self.counts.max())))))
        rows = [("true", *self.labels)]
        rows += [
            (label, *map(str, row)) for label, row in zip(self.labels, self.counts, strict=True)
        ]
        return "\n".join("  ".join(cell.rjust(width) for cell in row) for row in rows)


def confusion(
    truth: np.ndarray, said: np.ndarray, labels: tuple[str, ...] | None = None
) -> Confusion:
    """Count rows by the class they have and the class that was said.

    Args:
        truth: ``[row]``, any values; they are compared as text.
        said: ``[row]``, the same.
        labels: the classes in the order wanted, or None for all that occur, sorted.

    Raises:
        SondeError: there are no rows, unequal numbers of them, or a class outside ``labels``.
    """
    true, answer = np.asarray(truth).astype(str), np.asarray(said).astype(str)
    if true.ndim != 1 or true.shape != answer.shape or not len(true):
        raise SondeError(
            f"A confusion matrix was asked of truth {list(true.shape)} and answers "
            f"{list(answer.shape)}.",
            fix="Give one class and one answer a row.",
        )
    seen, number = np.unique(np.stack([true, answer]), return_inverse=True)
    names = tuple(seen.tolist()) if labels is None else tuple(map(str, labels))
    unknown = sorted(set(seen.tolist()) - set(names))
    if unknown:
        raise SondeError(
            f"The class {unknown[0]!r} is not among {', '.join(map(repr, names))}.",
            fix="List every class that occurs.",
        )
    place = np.array([names.index(name) for name in seen.tolist()])
    row, column = place[number.reshape(2, -1)]
    flat = np.bincount(row * len(names) + column, minlength=len(names) ** 2)
    counts = flat.reshape(len(names), len(names))
    return Confusion(names, counts)


def _share(part: np.ndarray, whole: np.ndarray) -> Float[np.ndarray, " class"]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
