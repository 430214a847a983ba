"""Permutation tests: how often chance alone does as well, were the labels exchangeable."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.stats.bootstrap import ENTRIES_AT_ONCE

Alternative = Literal["two-sided", "greater", "less"]

ROUNDING = 1e-9  # arrangements that differ only in the order of a sum count as equal


@dataclass(frozen=True, slots=True)
class Permutation:
    """How arrangements are drawn: at random, ``resamples`` of them.

    ``p = (1 + count) / (1 + resamples)``, the observed arrangement counted as one of those drawn
    (Phipson and Smyth 2010), so that no p-value is 0 and the test is valid at any number of
    resamples. Two-sided is twice the smaller of both sides, 1 at most.
    """

    resamples: int = 9999
    alternative: Alternative = "two-sided"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 1:
            raise SondeError(
                f"A permutation test of {self.resamples} resamples cannot be made.",
                fix="Ask for at least 19; 9999 resolve a p-value of 0.0001.",
            )
        if self.alternative not in ("two-sided", "greater", "less"):
            raise SondeError(
                f"{self.alternative!r} is not an alternative.",
                fix="Alternatives are 'two-sided', 'greater' and 'less'.",
            )

    def test(
        self, observed: float, drawn: Iterator[Float[np.ndarray, " resample"]]
    ) -> "PermutationTest":
        """Compare an observed statistic with those of the arrangements drawn, in pieces."""
        above = below = 0
        for piece in drawn:
            slack = ROUNDING * max(abs(observed), float(np.abs(piece).max()))
            above += int((piece >= observed - slack).sum())
            below += int((piece <= observed + slack).sum())
        greater, less = ((1 + count) / (1 + self.resamples) for count in (above, below))
        p = {"greater": greater, "less": less, "two-sided": min(1.0, 2 * min(greater, less))}
        return PermutationTest(observed, p[self.alternative], self.alternative, self.resamples)

    def pieces(self, width: int) -> Iterator[int]:
        """Yield how many arrangements of ``width`` entries to make at once."""
        at_once = max(1, ENTRIES_AT_ONCE // max(1, width))
        for start in range(0, self.resamples, at_once):
            yield min(at_once, self.resamples - start)


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """An observed statistic and how rarely chance reaches it."""

    statistic: float
    p: float
    alternative: Alternative
    resamples: int


# From labels [resample, row] to one number a resample.
LabelStatistic = Callable[[Float[np.ndarray, "resample row"]], Float[np.ndarray, " resample"]]


def sign_flip(
    differences: Float[np.ndarray, " unit"], permutation: Permutation | None = None
) -> PermutationTest:
    """Test that paired differences lie symmetrically about 0.

    The statistic is their mean; in each arrangement every unit's difference keeps or changes its
    sign with equal chance (Fisher 1935).

    Args:
        differences: ``[unit]``, one for each independent unit.
        permutation: how arrangements are drawn.

    Raises:
        SondeError: there are none, or one is not finite.
    """
    how = permutation or Permutation()
    given = _numbers(differences, "differences")
    rng = np.random.default_rng(how.seed)

    def drawn() -> Iterator[np.ndarray]:
        for count in how.pieces(len(given)):
            signs = rng.integers(0, 2, (count, len(given)), dtype=np.int8) * 2 - 1
            yield signs @ given / len(given)

    return how.test(float(given.mean()), drawn())


def two_sample(
    a: Float[np.ndarray, " one"],
    b: Float[np.ndarray, " other"],
    permutation: Permutation | None = None,
) -> PermutationTest:
    """Test that two samples come from one distribution; the statistic is ``mean(a) - mean(b)``.

    Each arrangement deals all the numbers out anew, as many to each side as there were.

    Raises:
        SondeError: a sample is empty, or a number is not finite.
    """
    first, second = _numbers(a, "the first sample"), _numbers(b, "the second sample")
    values = np.concatenate([first, second])
    values = values - values.mean()  # the statistic ignores a common shift; rounding does not

    def difference(labels: Float[np.ndarray, "resample row"]) -> Float[np.ndarray, " resample"]:
        return labels @ values / len(first) - (1 - labels) @ values / len(second)

    labels = np.r_[np.ones(len(first)), np.zeros(len(second))]
    return label_permutation(difference, labels, permutation=permutation)


def label_permutation(
    statistic: LabelStatistic,
    labels: Float[np.ndarray, " row"],
    groups: np.ndarray | None = None,
    permutation: Permutation | None = None,
) -> PermutationTest:
    """Test that labels have nothing to do with what ``statistic`` compares them with.

    Args:
        statistic: from labels ``[resample, row]`` to ``[resample]``.
        labels: ``[row]``, as observed.
        groups: ``[row]``, blocks within which alone labels are exchanged (pairs, prompts), or None
            to exchange all of them.
        permutation: how arrangements are drawn.

    Raises:
        SondeError: there are no labels, one is not finite, or no group has two different ones.
    """
    how = permutation or Permutation()
    given = _numbers(labels, "labels")
    group = np.zeros(len(given), int)
    if groups is not None:
        group = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
    if len(group) != len(given):
        raise SondeError(
            f"There are {len(given)} labels and {len(group)} groups.",
            fix="Give the group of each row.",
        )
    order = np.lexsort((given, group))
    alike = (np.diff(group[order]) != 0) | (np.diff(given[order]) == 0)
    if alike.all():
        raise SondeError(
            "No group has two different labels, so exchanging labels within groups changes nothing."
            if groups is not None
            else "All labels are equal: nothing to exchange.",
            fix="Test the groups' means with two_sample, or give labels that differ.",
        )
    rng = np.random.default_rng(how.seed)

    def drawn() -> Iterator[np.ndarray]:
        for count in how.pieces(len(given)):
            yield np.asarray(statistic(_exchanged(given, group, count, rng)))

    return how.test(float(np.asarray(statistic(given[None]))[0]), drawn())


def _exchanged(
    labels: Float[np.ndarray, " row"], group: np.ndarray, count: int, rng: np.random.Generator
) -> Float[np.ndarray, "resample row"]:
    """Permute labels within each group, ``count`` times: sort random keys, group by group."""
    slots = np.argsort(group, kind="stable")
    # A group's number plus a key below 1 sorts groups in order and rows at random within them.
    shuffled = np.argsort(group + rng.random((count, len(labels))), axis=1)
    dealt = np.empty((count, len(labels)))
    dealt[:, slots] = labels[shuffled]
    return dealt


def _numbers(given: np.ndarray, what: str) -> Float[np.ndarray, " row"]:
    values = np.asarray(given, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise SondeError(
            f"A permutation test was given {what} of shape {list(values.shape)}, {bad} of them "
            "not finite.",
            fix="Give one finite number a unit, and leave out units without one.",
        )
    return values
