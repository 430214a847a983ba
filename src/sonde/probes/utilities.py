"""Utilities of items from comparisons alone, with standard errors; no activations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.core.words import true_minus
from sonde.data.comparisons import Comparison, Comparisons
from sonde.probes.utility_models import MODELS, Likelihood, ModelName, OrdinalModel

NEWTON_STEPS = 100
HALVINGS = 40
ROUNDS = 100  # of fitting utilities and an ordinal model's thresholds in turn
SHOWN = 3  # of the highest and of the lowest, where utilities are printed
MOST_ITEMS = 10_000  # the covariance of so many is 800 MB


class UtilitySettings(Config):
    """How utilities are fitted to comparisons.

    ``model``: ``bradley_terry`` (logistic), ``thurstone`` (probit) or ``ordinal`` (graded answers).
    ``ridge`` / 2 times the sum of squared utilities is added to the loss: it keeps the utility of
    an item that always won finite; 0.01 corresponds to a prior spread of 10. Items between which
    no chain of comparisons leads are an error, or the ``largest`` connected part is kept.
    """

    model: ModelName = "bradley_terry"
    ridge: float = Field(default=0.01, gt=0, allow_inf_nan=False)
    disconnected: Literal["error", "largest"] = "error"


@dataclass(frozen=True, slots=True, eq=False)
class Utilities:
    """The utility of each item, on average 0; differences alone mean anything.

    ``covariance`` is that of the estimates about their mean, ``error`` its diagonal's root: a
    standard error against the average item. They take each comparison for one noisy choice, which
    graded answers of a deterministic model are not: theirs are too wide. ``thresholds`` are those
    of an ordinal model, and taken as given by the errors. ``left_out`` are the items outside the
    largest connected part.
    """

    items: np.ndarray  # str, sorted
    value: Float[np.ndarray, " item"]
    covariance: Float[np.ndarray, "item item"]
    loss: float  # -log likelihood, without the ridge
    n_comparisons: int
    thresholds: tuple[float, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def error(self) -> Float[np.ndarray, " item"]:
        """The standard error of each utility."""
        return np.sqrt(np.diag(self.covariance).clip(min=0))

    def difference_error(
        self, first: Int[np.ndarray, " pair"], second: Int[np.ndarray, " pair"]
    ) -> Float[np.ndarray, " pair"]:
        """Return the standard error of the difference of two items' utilities, by number."""
        own = np.diag(self.covariance)
        squared = own[first] + own[second] - 2 * self.covariance[first, second]
        return np.sqrt(squared.clip(min=0))

    def by_item(self) -> Mapping[str, float]:
        """Return the utilities by the items' ids."""
        return dict(zip(self.items.tolist(), self.value.tolist(), strict=True))

    def __str__(self) -> str:
        lines = [f"Utilities of {len(self.items):,} items from {self.n_comparisons:,} comparisons:"]
        order = np.argsort(-self.value, kind="stable")
        ends = order if len(order) <= 2 * SHOWN else [*order[:SHOWN], *order[-SHOWN:]]
        for place, at in enumerate(ends):
            if place == SHOWN and len(ends) < len(order):
                lines.append(f"  … and {len(order) - len(ends):,} between")
            error, name = f"±{self.error[at]:.3f}", str(self.items[at])
            lines.append(f"  {true_minus(f'{self.value[at]:+.3f}')} {error}  {name}")
        if self.thresholds:
            cuts = ", ".join(true_minus(f"{cut:.3f}") for cut in self.thresholds)
            lines.append(f"  thresholds {cuts}")
        if self.left_out:
            lines.append(f"  left out   {len(self.left_out):,} items that are not connected")
        return "\n".join(lines)


def fit_utilities(
    comparisons: Comparisons | Iterable[Comparison], settings: UtilitySettings | None = None
) -> Utilities:
    """Fit utilities to comparisons: the maximum of the likelihood less a small ridge.

    Minimises sum weight * -log p(outcome | u_first - u_second) + ridge / 2 |u|^2.

    Raises:
        SondeError: there is nothing to compare, all comparisons are ties, the items fall apart
            into parts that were never compared, or there are more than 10,000 items.
    """
    chosen = settings or UtilitySettings()
    given = Comparisons.of(comparisons)
    items, given, left_out = _connected(given, chosen)
    if len(items) > MOST_ITEMS:
        raise SondeError(
            f"{len(items):,} items are more than {MOST_ITEMS:,}, whose covariance fits in memory.",
            fix="Fit a Bradley-Terry probe, which needs no utilities, or fewer items.",
        )
    first, second = given.numbered(items)
    pairs = (first, second, given.weight)
    likelihood = MODELS[chosen.model](given.outcome)
    u = np.zeros(len(items))
    before = np.inf
    for _ in range(ROUNDS):
        u, loss = _fitted(likelihood, pairs, u, chosen.ridge)
        better = likelihood.refitted(u[first] - u[second], given.weight)
        if better is likelihood or before - loss <= 1e-10 * abs(loss):
            break
        likelihood, before = better, loss
    terms = likelihood.terms(u[first] - u[second])
    return Utilities(
        items=items,
        value=u - u.mean(),
        covariance=_covariance(pairs, terms[2], len(items), chosen.ridge),
        loss=float((given.weight * terms[0]).sum()),
        n_comparisons=len(given),
        thresholds=tuple(likelihood.thresholds.tolist())
        if isinstance(likelihood, OrdinalModel)
        else (),
        left_out=left_out,
    )


Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]  # first, second, weight


def _fitted(
    likelihood: Likelihood, pairs: Pairs, u: Float[np.ndarray, " item"], ridge: float
) -> tuple[Float[np.ndarray, " item"], float]:
    """Run Newton's method from ``u``; return the optimum and the objective there."""
    from scipy.linalg import solve

    first, second, weight = pairs

    def objective(u: np.ndarray) -> float:
        loss = likelihood.terms(u[first] - u[second])[0]
        return float((weight * loss).sum() + ridge / 2 * (u @ u))

    now = objective(u)
    for _ in range(NEWTON_STEPS):
        _, slope, curvature = likelihood.terms(u[first] - u[second])
        sums = np.bincount(first, weight * slope, len(u))
        gradient = sums - np.bincount(second, weight * slope, len(u)) + ridge * u
        hessian = _hessian(pairs, curvature, len(u), ridge)
        step = solve(hessian, -gradient, assume_a="pos")
        decrement = -float(gradient @ step)
        length = 1.0
        for _ in range(HALVINGS):
            after = objective(u + length * step)
            if after <= now - 1e-4 * length * decrement + 1e-13 * abs(now):
                break
            length /= 2
        u, now = u + length * step, objective(u + length * step)
        if decrement <= 1e-14 * max(abs(now), 1e-300):
            break
    return u, now


def _hessian(
    pairs: Pairs, curvature: np.ndarray, n: int, ridge: float
) -> Float[np.ndarray, "item item"]:
    first, second, weight = pairs
    flat = np.bincount(first * n + second, weight * curvature, n * n).reshape(n, n)
    between = flat + flat.T
    return np.diag(between.sum(axis=1) + ridge) - between


def _covariance(
    pairs: Pairs, curvature: np.ndarray, n: int, ridge: float
) -> Float[np.ndarray, "item item"]:
    """Invert the Hessian and take out the common shift, of which comparisons say nothing."""
    inverse = np.linalg.inv(_hessian(pairs, curvature, n, ridge))
    inverse -= inverse.mean(axis=0)
    return inverse - inverse.mean(axis=1, keepdims=True)


def _connected(
    given: Comparisons, settings: UtilitySettings
) -> tuple[np.ndarray, Comparisons, tuple[str, ...]]:
    """Return the items and comparisons to use, and the items left out."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    items = given.items
    first, second = given.numbered(items)
    n = len(items)
    graph = coo_matrix((np.ones(len(first)), (first, second)), shape=(n, n))
    count, part = connected_components(graph, directed=False)
    if count == 1:
        return items, given, ()
    sizes = np.bincount(part)
    largest = sizes.argmax()
    outside = items[part != largest].tolist()
    if settings.disconnected == "error":
        raise SondeError(
            f"The {n} items fall into {count} parts, of {sizes.max()} items and fewer, and no "
            f"comparison leads from one to another: nothing tells {outside[0]!r} from "
            f"{str(items[part == largest][0])!r}.",
            fix="Compare items of different parts, or choose disconnected: largest, which leaves "
            f"{len(outside)} items out.",
        )
    kept = given.some(part[first] == largest)
    kept.refuse_nothing()
    return items[part == largest], kept, tuple(outside)
