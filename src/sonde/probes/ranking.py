"""Agreement of scores of items, such as a probe's, with comparisons or with utilities."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from sonde.core.errors import SondeError
from sonde.data.comparisons import Comparison, Comparisons
from sonde.probes.results import ProbeResults
from sonde.probes.utilities import Utilities, UtilitySettings, fit_utilities
from sonde.stats.agreement import PairAgreement, agreement_of_rankings, agreement_with_pairs
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.interval import Interval


def pair_accuracy(
    scores: Mapping[str, float],
    comparisons: Comparisons | Iterable[Comparison],
    bootstrap: Bootstrap | None = None,
) -> PairAgreement:
    """Score items by comparisons: the share of decided ones whose winner has the higher score.

    ``scores`` by the items' ids; comparisons of an item without a score are left out. The scores
    must not have been fitted to these comparisons.

    Raises:
        SondeError: no comparison is of two items with scores, or none has a winner.
    """
    given = Comparisons.of(comparisons)
    items = np.array(sorted(scores), str)
    first, second = given.numbered(items)
    kept = (first >= 0) & (second >= 0)
    if not kept.any():
        raise SondeError(
            f"None of {len(given)} comparisons is of two of the {len(items)} scored items, such as "
            f"{', '.join(map(repr, items[:2].tolist()))}.",
            fix="Give scores by the ids that the comparisons use.",
        )
    score = np.array([float(scores[name]) for name in items.tolist()])
    return agreement_with_pairs(score, first[kept], second[kept], given.outcome[kept], bootstrap)


def rank_correlation(
    scores: Mapping[str, float],
    other: Mapping[str, float] | Utilities,
    bootstrap: Bootstrap | None = None,
) -> Interval:
    """Return Kendall's tau-b of two scores of the items that have both, with an interval.

    Raises:
        SondeError: fewer than two items have both.
    """
    theirs = other.by_item() if isinstance(other, Utilities) else other
    both = sorted(scores.keys() & theirs.keys())
    if len(both) < 2:
        raise SondeError(
            f"{len(both)} items have both scores.", fix="Give both by the same items' ids."
        )
    a, b = (np.array([float(each[name]) for name in both]) for each in (scores, theirs))
    return agreement_of_rankings(a, b, bootstrap)


@dataclass(frozen=True, slots=True)
class RankAgreement:
    """How the ranking of items by a probe agrees with comparisons of them.

    ``tau`` is Kendall's tau-b with the Bradley-Terry utilities of the comparisons, of which
    ``left_out`` items have none: no chain of comparisons leads to them from the others.
    """

    pairs: PairAgreement
    tau: Interval
    left_out: int

    def __str__(self) -> str:
        return (
            f"{self.pairs.accuracy} of {self.pairs.n:,} comparisons in the right order, "
            f"Kendall's tau-b with their utilities {self.tau}"
        )


def out_of_fold_ranking(found: ProbeResults) -> Mapping[str, float]:
    """Return what fits that had not seen an example said of it, at the choice of layer; by id.

    The mean of an example's rows, where it has several.

    Raises:
        SondeError: the probe gives an example no one number: it tells several classes apart, fits
            several targets, or was fitted to comparisons.
    """
    if found.settings.says in ("logits", "utility") or found.several_targets:
        raise SondeError(
            f"A {found.kind} probe of {len(found.labels)} labels gives no one out-of-fold number "
            "for each example, so it ranks none.",
            fix="Rank by a probe of one number, such as ridge, or of two classes.",
        )
    scored = found.selection.scored
    names, at = np.unique(scored.example, return_inverse=True)
    mean = np.bincount(at.reshape(-1), scored.predicted) / np.bincount(at.reshape(-1))
    return dict(zip(names.tolist(), mean.tolist(), strict=True))


def rank_agreement(
    found: ProbeResults,
    comparisons: Comparisons | Iterable[Comparison],
    utilities: Utilities | None = None,
) -> RankAgreement:
    """Hold a probe's out-of-fold ranking against comparisons and their utilities.

    ``utilities`` are fitted to the comparisons where none are given, to the largest part of the
    items that comparisons connect.

    Raises:
        SondeError: as ``out_of_fold_ranking`` and ``pair_accuracy``.
    """
    scores, given = out_of_fold_ranking(found), Comparisons.of(comparisons)
    theirs = utilities or fit_utilities(given, UtilitySettings(disconnected="largest"))
    how = found.settings.bootstrap
    return RankAgreement(
        pairs=pair_accuracy(scores, given, how),
        tau=rank_correlation(scores, theirs, how),
        left_out=len(theirs.left_out),
    )
