"""Running moments of activations: count, mean and spread in float64, for each class.

Ridge, mean difference, LDA and PCA need no more than these, so they work without keeping
activations. Chunks are merged by the update of Chan, Golub and LeVeque (1983, "Algorithms for
computing the sample variance"), which does not cancel where the mean is large against the spread.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from sonde.activations.activations import RowTable
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Count, mean and scatter of rows, in float64.

    ``scatter`` is the sum of squared deviations from the mean: for each coordinate ``[d_model]``,
    or, where covariances were asked for, of each pair ``[d_model, d_model]``.
    """

    count: int
    mean: Float64[Tensor, "d_model"]
    scatter: Float64[Tensor, "d_model"] | Float64[Tensor, "d_model d_model"]

    @property
    def variance(self) -> Float64[Tensor, "d_model"]:
        """The variance of each coordinate, divided by ``count``."""
        diagonal = self.scatter.diagonal() if self.scatter.ndim == 2 else self.scatter
        return diagonal / max(1, self.count)

    @property
    def covariance(self) -> Float64[Tensor, "d_model d_model"]:
        """The covariance matrix, divided by ``count``.

        Raises:
            SondeError: only variances were kept.
        """
        if self.scatter.ndim != 2:
            raise SondeError("These moments hold no covariance.", fix="Ask for covariance=True.")
        return self.scatter / max(1, self.count)

    def merge(self, other: "Moments") -> "Moments":
        """Return the moments of both sets of rows together.

        mean = mean_a + δ n_b/n and scatter = scatter_a + scatter_b + δδᵀ n_a n_b/n, with
        δ = mean_b − mean_a (Chan et al. 1983).
        """
        count = self.count + other.count
        if not self.count or not other.count:
            return self if self.count else other
        delta = other.mean - self.mean
        cross = torch.outer(delta, delta) if self.scatter.ndim == 2 else delta.square()
        return Moments(
            count,
            self.mean + delta * (other.count / count),
            self.scatter + other.scatter + cross * (self.count * other.count / count),
        )


def moments_of(x: Float[Tensor, "row d_model"], *, covariance: bool = False) -> Moments:
    """Return the moments of some rows; heads count as coordinates one after another."""
    rows = x.detach().flatten(1).double()
    mean = rows.mean(0) if len(rows) else rows.new_zeros(rows.shape[1])
    centred = rows - mean
    scatter = centred.T @ centred if covariance else centred.square().sum(0)
    return Moments(len(rows), mean, scatter)


@runtime_checkable
class Batch(Protocol):
    """What streams and stores give: some rows at every hook point."""

    @property
    def tensors(self) -> Mapping[HookPoint, Tensor]:
        """Activations, ``[row, d_model]`` for each hook point."""
        ...

    @property
    def rows(self) -> RowTable:
        """The row table of the batch."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ClassMoments:
    """Moments at each hook point for each class; one class None where none were given.

    ``unlabelled`` counts rows whose example has no class, which are in no moments.
    """

    by_class: Mapping[HookPoint, Mapping[Hashable, Moments]]
    unlabelled: int = 0

    @property
    def hooks(self) -> tuple[HookPoint, ...]:
        """The hook points, in the order of the forward pass."""
        return tuple(sorted(self.by_class, key=lambda hook: hook.depth))

    def of(self, hook: HookPoint, label: Hashable = None) -> Moments:
        """Return the moments of one class.

        Raises:
            SondeError: there is no such class at this hook point.
        """
        found = self.by_class.get(hook, {})
        if label not in found:
            raise SondeError(
                f"There are no moments of class {label!r} at {hook}.",
                fix=f"Classes are {', '.join(map(repr, found))}.",
            )
        return found[label]

    def total(self, hook: HookPoint) -> Moments:
        """Return the moments of all classes together."""
        parts = list(self.by_class[hook].values())
        whole = parts[0]
        for part in parts[1:]:
            whole = whole.merge(part)
        return whole


def stream_moments(
    batches: Iterable[Batch],
    classes: Mapping[str, Hashable] | None = None,
    *,
    covariance: bool = False,
) -> ClassMoments:
    """Run through a stream or a store's batches once and return its moments.

    ``classes`` gives the class of each example id; rows of other examples are counted as
    unlabelled. Without it all rows are one class, None.

    Raises:
        SondeError: there is no row, or none of the examples has a class.
    """
    found: dict[HookPoint, dict[Hashable, Moments]] = {}
    unlabelled = 0
    for batch in batches:
        groups, missing = _rows_by_class(batch, classes)
        unlabelled += missing
        for hook, tensor in batch.tensors.items():
            here = found.setdefault(hook, {})
            for label, rows in groups.items():
                part = tensor if rows is None else tensor[rows.to(tensor.device)]
                new = moments_of(part, covariance=covariance)
                here[label] = here[label].merge(new) if label in here else new
    if not any(found.values()):
        raise SondeError(
            "There are no rows to take moments of."
            if not unlabelled
            else f"None of the {unlabelled:,} rows has a class.",
            fix="Check that the classes are given by example id.",
        )
    return ClassMoments(found, unlabelled)


def _rows_by_class(
    batch: Batch, classes: Mapping[str, Hashable] | None
) -> tuple[dict[Hashable, Tensor | None], int]:
    if classes is None:
        return {None: None}, 0
    labels = [classes.get(example) for example in batch.rows.example.tolist()]
    rows: dict[Hashable, list[int]] = {}
    for row, label in enumerate(labels):
        if label is not None:
            rows.setdefault(label, []).append(row)
    groups = {label: torch.from_numpy(np.array(members)) for label, members in rows.items()}
    return dict(groups), labels.count(None)


def mean_difference(
    found: ClassMoments, positive: Hashable, negative: Hashable
) -> dict[HookPoint, Float64[Tensor, "d_model"]]:
    """Return mean(positive) − mean(negative) at each hook point, in the activations' unit.

    Raises:
        SondeError: a class has no rows.
    """
    return {
        hook: found.of(hook, positive).mean - found.of(hook, negative).mean for hook in found.hooks
    }


def merged(parts: Sequence[ClassMoments]) -> ClassMoments:
    """Return the moments of several runs together, class by class."""
    whole: dict[HookPoint, dict[Hashable, Moments]] = {}
    for part in parts:
        for hook, by_class in part.by_class.items():
            here = whole.setdefault(hook, {})
            for label, new in by_class.items():
                here[label] = here[label].merge(new) if label in here else new
    return ClassMoments(whole, sum(part.unlabelled for part in parts))
