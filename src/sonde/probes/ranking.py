"""Agreement of scores of items, such as a probe's, with comparisons or with utilities."""

from collections.abc import Iterable, Mapping

import numpy as np

from sonde.core.errors import SondeError
from sonde.data.comparisons import Comparison, Comparisons
from sonde.probes.results import ProbeResults
from sonde.probes.scored import Scored
from sonde.probes.utilities import Utilities
from sonde.stats.agreement import PairAgreement, agreement_of_rankings, agreement_with_pairs
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.interval import Interval


def pair_accuracy(
    scores: Mapping[str, float],
    comparisons: Comparisons | Iterable[Comparison],
    bootstrap: Bootstrap | None = None,
    *,
    cross_validated: bool = False,
) -> PairAgreement:
    """Score items by comparisons: the share of decided ones whose winner has the higher score.

    ``scores`` by the items' ids; comparisons of an item without a score are left out. The scores
    must not have been fitted to these comparisons. ``cross_validated`` says that they are what fits
    said of items that they had not seen; the interval then allows for the fits' own variation.

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
    return agreement_with_pairs(
        score,
        first[kept],
        second[kept],
        given.outcome[kept],
        bootstrap,
        cross_validated=cross_validated,
    )


def rank_correlation(
    scores: Mapping[str, float],
    other: Mapping[str, float] | Utilities,
    bootstrap: Bootstrap | None = None,
    *,
    cross_validated: bool = False,
) -> Interval:
    """Return Kendall's tau-b of two scores of the items that have both, with an interval.

    ``cross_validated`` is as in ``pair_accuracy``.

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
    return agreement_of_rankings(a, b, bootstrap, cross_validated=cross_validated)


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
    return ranking_of(found.selection.scored)


def ranking_of(scored: Scored) -> Mapping[str, float]:
    """Return what was said of each example, the mean of its rows; by id."""
    names, at = np.unique(scored.example, return_inverse=True)
    mean = np.bincount(at.reshape(-1), scored.predicted) / np.bincount(at.reshape(-1))
    return dict(zip(names.tolist(), mean.tolist(), strict=True))
