"""Numbers in, numbers out: folds, metrics, intervals, effects, tests, choices, leaks, power."""

from sonde.stats.agreement import (
    PairAgreement,
    agreement_of_rankings,
    agreement_with_pairs,
    kendall_tau,
)
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.choice import Choice, choose, choose_fitted
from sonde.stats.confusion import Confusion, confusion
from sonde.stats.delong import delong_difference, delong_interval
from sonde.stats.effect_sizes import cohens_d
from sonde.stats.effects import Effect, combination, difference, interval_of
from sonde.stats.folds import grouped_folds
from sonde.stats.headroom import Headroom, headroom
from sonde.stats.interval import Interval
from sonde.stats.leaks import Leaks, duplicates, shared_items
from sonde.stats.metrics import (
    METRICS,
    Metric,
    accuracy,
    auroc,
    balanced_accuracy,
    class_accuracy,
    macro_recall,
    mean,
    pearson,
    r2,
    ratio_of_sums,
)
from sonde.stats.multiplicity import benjamini_hochberg, holm
from sonde.stats.pair_folds import PairFolds, pair_folds
from sonde.stats.permutation import (
    Permutation,
    PermutationTest,
    label_permutation,
    sign_flip,
    two_sample,
)
from sonde.stats.power import (
    n_of_auroc,
    n_of_means,
    n_of_proportions,
    power_of_auroc,
    power_of_means,
    power_of_proportions,
)
from sonde.stats.proportion import wilson
from sonde.stats.scores import Scores

__all__ = [
    "METRICS",
    "Bootstrap",
    "Choice",
    "Confusion",
    "Effect",
    "Headroom",
    "Interval",
    "Leaks",
    "Metric",
    "PairAgreement",
    "PairFolds",
    "Permutation",
    "PermutationTest",
    "Scores",
    "accuracy",
    "agreement_of_rankings",
    "agreement_with_pairs",
    "auroc",
    "balanced_accuracy",
    "benjamini_hochberg",
    "choose",
    "choose_fitted",
    "class_accuracy",
    "cohens_d",
    "combination",
    "confusion",
    "delong_difference",
    "delong_interval",
    "difference",
    "duplicates",
    "grouped_folds",
    "headroom",
    "holm",
    "interval_of",
    "kendall_tau",
    "label_permutation",
    "macro_recall",
    "mean",
    "n_of_auroc",
    "n_of_means",
    "n_of_proportions",
    "pair_folds",
    "pearson",
    "power_of_auroc",
    "power_of_means",
    "power_of_proportions",
    "r2",
    "ratio_of_sums",
    "shared_items",
    "sign_flip",
    "two_sample",
    "wilson",
]
