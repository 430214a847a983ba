"""How a probe's out-of-fold ranking of items agrees with comparisons of them, and its controls."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from sonde.data.comparisons import TIE, Comparison, Comparisons
from sonde.probes.baseline import Baseline
from sonde.probes.control import Control
from sonde.probes.ranking import (
    out_of_fold_ranking,
    pair_accuracy,
    rank_correlation,
    ranking_of,
)
from sonde.probes.results import ProbeResults
from sonde.probes.scored import Scored, mean_interval
from sonde.probes.utilities import Utilities, UtilitySettings, fit_utilities
from sonde.stats.agreement import PairAgreement
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS

Rankings = Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class RankAgreement:
    """How the ranking of items by a probe agrees with comparisons of them.

    ``tau`` is Kendall's tau-b with the Bradley-Terry utilities of the comparisons, of which
    ``left_out`` items have none: no chain of comparisons leads to them from the others.
    ``compared`` has a row for each comparison with a winner, 1 where the probe is right and 0 where
    it is not, ``ranked`` one for each item, the utility as truth. ``controls`` and ``baselines``
    are the share of comparisons that these rank right.
    """

    pairs: PairAgreement
    tau: Interval
    left_out: int
    compared: Scored
    ranked: Scored
    controls: Mapping[str, Control]
    baselines: Mapping[str, Baseline]

    def __str__(self) -> str:
        return (
            f"{self.pairs.accuracy} of {self.pairs.n:,} comparisons in the right order, "
            f"Kendall's tau-b with their utilities {self.tau}"
        )


def rank_agreement(
    found: ProbeResults,
    comparisons: Comparisons | Iterable[Comparison],
    utilities: Utilities | None = None,
) -> RankAgreement:
    """Hold a probe's out-of-fold ranking against comparisons and their utilities.

    ``utilities`` are fitted to the comparisons where none are given, to the largest part of the
    items that comparisons connect. Intervals allow for the fits' own variation, as those of the
    probe do.

    Raises:
        SondeError: as ``out_of_fold_ranking`` and ``pair_accuracy``.
    """
    scores, given = out_of_fold_ranking(found), Comparisons.of(comparisons)
    theirs = utilities or fit_utilities(given, UtilitySettings(disconnected="largest"))
    how = found.settings.bootstrap
    return RankAgreement(
        pairs=pair_accuracy(scores, given, how, cross_validated=True),
        tau=rank_correlation(scores, theirs, how, cross_validated=True),
        left_out=len(theirs.left_out),
        compared=_compared(scores, given),
        ranked=_ranked(scores, theirs.by_item()),
        controls={
            name: _control([_compared(ranking_of(one), given) for one in control.scored], how)
            for name, control in found.selection.controls.items()
        },
        baselines={
            name: _baseline(_compared(ranking_of(one.scored), given), how)
            for name, one in found.baselines.items()
        },
    )


def _control(scored: list[Scored], how: Bootstrap) -> Control:
    return Control(mean_interval(scored, METRICS["mean"], how), tuple(scored))


def _baseline(scored: Scored, how: Bootstrap) -> Baseline:
    return Baseline(mean_interval([scored], METRICS["mean"], how), scored)


def _compared(scores: Rankings, given: Comparisons) -> Scored:
    """Return a row for each comparison of two scored items that has a winner."""
    known = np.array([one in scores and two in scores for one, two in _items(given)])
    kept = known & (given.outcome != TIE)
    first, second = given.first[kept], given.second[kept]
    apart = np.array([scores[a] - scores[b] for a, b in zip(first, second, strict=True)])
    right = (np.sign(apart) * np.sign(given.outcome[kept] - TIE) + 1) / 2
    return _rows(first, given.outcome[kept], right, other=second)


def _items(given: Comparisons) -> Iterable[tuple[str, str]]:
    return zip(given.first.tolist(), given.second.tolist(), strict=True)


def _ranked(scores: Rankings, utility: Rankings) -> Scored:
    both = sorted(scores.keys() & utility.keys())
    truth, said = (np.array([float(one[name]) for name in both]) for one in (utility, scores))
    return _rows(np.array(both, str), truth, said)


def _rows(
    unit: np.ndarray, truth: np.ndarray, predicted: np.ndarray, other: np.ndarray | None = None
) -> Scored:
    """Lay out rows that fits had not seen, of whatever fold."""
    return Scored(
        example=unit,
        token=np.full(len(unit), -1, np.int32),
        unit=unit,
        fold=np.zeros(len(unit), np.int64),
        truth=truth,
        predicted=predicted,
        scale=np.ones(len(unit)),
        other=other,
    )
