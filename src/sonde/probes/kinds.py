"""The kinds of probes: one solver file each, one class of settings, and one line in this table."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sonde.data.comparisons import Comparison, Comparisons
from sonde.probes.attention_solver import attention_solver
from sonde.probes.bradley_terry_solver import bradley_terry_solver
from sonde.probes.class_balance import row_weights
from sonde.probes.compared_directions import ComparedDirections
from sonde.probes.comparison_lines import ComparisonLines
from sonde.probes.comparison_targets import comparison_targets
from sonde.probes.control import Shuffle, shuffled_examples, shuffled_in_folds, shuffled_rows
from sonde.probes.lda_solver import lda_solver
from sonde.probes.lines import ClassLines, Lines, RowLines, TargetLines, first_rows
from sonde.probes.logistic_solver import logistic_solver
from sonde.probes.mass_mean_solver import mass_mean_solver
from sonde.probes.mean_solver import mean_solver
from sonde.probes.mlp_solver import mlp_solver
from sonde.probes.multi_token_solver import multi_token_solver
from sonde.probes.multinomial_solver import multinomial_solver
from sonde.probes.pca_solver import pca_solver
from sonde.probes.pooled_directions import PooledDirections
from sonde.probes.problem import Problem
from sonde.probes.random_direction import RandomDirections
from sonde.probes.ridge_solver import ridge_solver
from sonde.probes.settings import (
    AnyProbeSettings,
    AttentionSettings,
    BradleyTerrySettings,
    LdaSettings,
    LogisticSettings,
    MassMeanSettings,
    MeanDifferenceSettings,
    MlpSettings,
    MultinomialSettings,
    MultiTokenSettings,
    PcaSettings,
    RidgeSettings,
)
from sonde.probes.solver import Predictor, Prepare
from sonde.probes.targets import (
    Targets,
    category_targets,
    class_targets,
    number_targets,
    one_label_an_example,
)

Rows: TypeAlias = np.ndarray  # int64: some of the targets' rows, those of one position
AlongDirections: TypeAlias = Callable[[Problem, Float[Tensor, "layer d_model k"]], Predictor]


def _directions(settings: AnyProbeSettings, targets: Targets, rows: Rows) -> AlongDirections:
    return partial(RandomDirections, says=settings.says, n_classes=len(targets.classes))


def _lines(settings: AnyProbeSettings, targets: Targets, rows: Rows, folds: np.ndarray) -> Lines:
    """Score every row, or every example where its rows are read together."""
    pools = KINDS[settings.kind].pools
    scored = first_rows(targets.example[rows]) if pools else np.arange(len(rows))
    if settings.says == "logits":
        return ClassLines(scored)
    if targets.values.shape[1] > 1:
        return TargetLines.of(targets.values[rows], scored)
    return RowLines(scored)


@dataclass(frozen=True, slots=True)
class ProbeKind:
    """What makes a kind of probe; everything else is the same for all.

    ``targets(acts, y, settings, comparisons)`` joins the labels with the rows. Of the rows of one
    position ``prepare(settings, targets, rows)`` gives what makes the solver of a problem,
    ``lines(settings, targets, rows, folds)`` what is scored, ``directions(settings, targets,
    rows)`` the random-direction control. ``shuffle`` deals the labels out for the shuffled-label
    control. Where it ``pools``, an example's rows are read together.
    """

    settings: type[AnyProbeSettings]
    targets: Callable[..., Targets]
    prepare: Callable[[Any, Targets, Rows], Prepare]
    lines: Callable[[Any, Targets, Rows, np.ndarray], Lines] = _lines
    shuffle: Shuffle = shuffled_rows
    directions: Callable[[Any, Targets, Rows], AlongDirections] = _directions
    pools: bool = False


def _two_classes(acts: Any, y: Any, settings: Any, comparisons: None) -> Targets:
    return class_targets(acts, y, settings.positive)


def _categories(acts: Any, y: Any, settings: Any, comparisons: None) -> Targets:
    return category_targets(acts, y)


def _numbers(acts: Any, y: Any, settings: Any, comparisons: None) -> Targets:
    return number_targets(acts, y)


def _network(acts: Any, y: Any, settings: Any, comparisons: None) -> Targets:
    join = {"two_classes": _two_classes, "classes": _categories, "numbers": _numbers}
    return join[settings.fitted](acts, y, settings, comparisons)


def _of_examples(acts: Any, y: Any, settings: Any, comparisons: None) -> Targets:
    return one_label_an_example(_network(acts, y, settings, comparisons), settings.kind)


def _items(acts: Any, y: Any, settings: Any, comparisons: Any) -> Targets:
    """Join comparisons, which may also stand where labels are given."""
    own = isinstance(y, Comparisons) or (
        # An empty list without comparisons beside it is one of none.
        isinstance(y, list | tuple) and (isinstance(y[0], Comparison) if y else comparisons is None)
    )
    return comparison_targets(acts, () if own else y, y if own else comparisons)


def _compared(settings: Any, targets: Targets, rows: Rows, folds: np.ndarray) -> Lines:
    assert targets.compared is not None
    return ComparisonLines.of(targets.compared, _item(targets, rows), folds[rows])


def _utilities(settings: Any, targets: Targets, rows: Rows) -> Prepare:
    assert targets.compared is not None
    return bradley_terry_solver(targets.compared.pairs)


def _compared_directions(settings: Any, targets: Targets, rows: Rows) -> AlongDirections:
    assert targets.compared is not None
    return partial(ComparedDirections, targets.compared.pairs)


def _item(targets: Targets, rows: Rows) -> np.ndarray:
    return targets.values[rows, 0].astype(np.int64)


def _pooled_directions(settings: Any, targets: Targets, rows: Rows) -> AlongDirections:
    return partial(PooledDirections, says=settings.says, n_classes=len(targets.classes))


def _plain(solver: Prepare) -> Callable[[Any, Targets, Rows], Prepare]:
    """Prepare a solver that needs nothing of the settings."""
    return lambda settings, targets, rows: solver


def _with(solver: Callable[..., Any], *names: str) -> Callable[[Any, Targets, Rows], Prepare]:
    """Prepare a solver that takes some of the settings by name."""
    return lambda settings, targets, rows: partial(
        solver, **{name: getattr(settings, name) for name in names}
    )


def _of_settings(solver: Callable[[Any], Prepare]) -> Callable[[Any, Targets, Rows], Prepare]:
    """Prepare a solver that is made of the settings."""
    return lambda settings, targets, rows: solver(settings)


def _logistic(settings: LogisticSettings, targets: Targets, rows: Rows) -> Prepare:
    weights = row_weights(settings.balance, targets.unit[rows], settings.seed)
    return partial(logistic_solver, weights=weights)


def _multinomial(settings: MultinomialSettings, targets: Targets, rows: Rows) -> Prepare:
    weights = row_weights(settings.balance, targets.unit[rows], settings.seed)
    return partial(multinomial_solver, n_classes=len(targets.classes), weights=weights)


_POOLED: dict[str, Any] = {
    "shuffle": shuffled_examples,
    "directions": _pooled_directions,
    "pools": True,
}

KINDS: dict[str, ProbeKind] = {
    "ridge": ProbeKind(RidgeSettings, _numbers, _plain(ridge_solver)),
    "logistic": ProbeKind(LogisticSettings, _two_classes, _logistic),
    "multinomial": ProbeKind(MultinomialSettings, _categories, _multinomial),
    "bradley_terry": ProbeKind(
        BradleyTerrySettings,
        _items,
        _utilities,
        _compared,
        shuffle=shuffled_in_folds,
        directions=_compared_directions,
    ),
    "mean_difference": ProbeKind(MeanDifferenceSettings, _two_classes, _plain(mean_solver)),
    "mass_mean": ProbeKind(MassMeanSettings, _two_classes, _with(mass_mean_solver, "shrinkage")),
    "lda": ProbeKind(LdaSettings, _two_classes, _with(lda_solver, "shrinkage")),
    "pca": ProbeKind(PcaSettings, _two_classes, _with(pca_solver, "centring", "standardise")),
    "mlp": ProbeKind(MlpSettings, _network, _of_settings(mlp_solver)),
    "attention": ProbeKind(
        AttentionSettings, _of_examples, _of_settings(attention_solver), **_POOLED
    ),
    "multi_token": ProbeKind(
        MultiTokenSettings, _of_examples, _of_settings(multi_token_solver), **_POOLED
    ),
}
