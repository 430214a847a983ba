"""Numbers in, numbers out: folds, metrics, bootstrap intervals."""

from sonde.stats.bootstrap import Bootstrap
from sonde.stats.folds import grouped_folds
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS, Metric, accuracy, auroc, balanced_accuracy, pearson, r2

__all__ = [
    "METRICS",
    "Bootstrap",
    "Interval",
    "Metric",
    "accuracy",
    "auroc",
    "balanced_accuracy",
    "grouped_folds",
    "pearson",
    "r2",
]
