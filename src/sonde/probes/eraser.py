"""Erasers: what takes a concept out of the activations at one hook point, as a value."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from sonde.activations.activations import Activations, Origin
from sonde.activations.moments import ClassMoments
from sonde.core.edits import Affine, Scope
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.probes.leace import Erasure, Method, erasure_of_classes, erasure_of_rows, indicators
from sonde.probes.targets import Labels, Targets, category_targets, number_targets


@dataclass(frozen=True, slots=True, eq=False)
class Eraser:
    """Takes a concept out of activations: ``x - (x - mean) @ right.T @ left.T``, at one hook point.

    On the rows it was fitted on no linear function of what is left covaries with the concept (see
    ``leace``). ``labels`` are the classes or the targets; the rank of the change is at most their
    number, and one less for classes. ``removed`` is the share of the activations' variance that it
    takes away, in [0, 1].
    """

    method: Method
    hook: HookPoint
    position: str
    left: Float64[Tensor, "d_model rank"]
    right: Float64[Tensor, "rank d_model"]
    mean: Float64[Tensor, " d_model"]
    labels: tuple[str, ...]
    removed: float
    origin: Origin
    training_data: str = ""
    n_rows: int = 0

    def __str__(self) -> str:
        return (
            f"{self.method} eraser of {', '.join(self.labels) or 'a number'} at {self.hook}, rank "
            f"{self.rank}, fitted on {self.n_rows} rows; takes {self.removed:.2%} of the variance"
        )

    @property
    def rank(self) -> int:
        """How many directions are taken out."""
        return self.left.shape[1]

    def erase(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """Return the activations without the concept, in their dtype.

        Raises:
            SondeError: the width is wrong.
        """
        if x.shape[-1] != len(self.mean):
            raise SondeError(
                f"Activations of shape {list(x.shape)} do not fit the eraser, which takes "
                f"[…, {len(self.mean)}].",
                fix=f"Give the activations at {self.hook} of the model {self.origin.model!r}.",
            )
        return Erasure(self.left, self.right, self.mean)(x).to(x.dtype)

    def edit(self, scope: Scope | None = None) -> Affine:
        """Return the erasure as an edit of a forward pass, at the eraser's hook point."""
        taken = self.right.T @ self.left.T
        kept = torch.eye(len(taken), dtype=taken.dtype, device=taken.device) - taken
        return Affine(self.hook, kept, self.mean @ taken, scope or Scope())

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file."""
        from sonde.probes.eraser_file import save_eraser

        return save_eraser(self, Path(path))

    @staticmethod
    def load(path: str | Path) -> "Eraser":
        """Read an eraser that ``save`` wrote.

        Raises:
            SondeError: the file is missing, damaged, or not an eraser.
        """
        from sonde.probes.eraser_file import load_eraser

        return load_eraser(Path(path))


def fit_erasers(
    acts: Activations,
    y: Labels,
    *,
    method: Method = "leace",
    numbers: bool = False,
    hooks: Sequence[HookPoint] | None = None,
) -> tuple[Eraser, ...]:
    """Fit an eraser of the labels at every hook point (or those named) and position.

    Labels are classes, two or more; with ``numbers`` they are numbers, one or several an example.

    Raises:
        SondeError: the labels do not join or do not vary, or rows are not finite.
    """
    targets = number_targets(acts, y) if numbers else category_targets(acts, y)
    return tuple(
        _fitted(acts, hook, position, targets, method)
        for position in dict.fromkeys(targets.position.tolist())
        for hook in (acts.hooks if hooks is None else hooks)
    )


def _fitted(
    acts: Activations, hook: HookPoint, position: str, targets: Targets, method: Method
) -> Eraser:
    rows = np.flatnonzero(targets.position == position)
    x = acts.tensor(hook)[torch.from_numpy(targets.index[rows])].flatten(1).double()
    _check_finite(x, hook)
    values = torch.from_numpy(targets.values[rows])
    classes = len(targets.classes)
    concept = indicators(values[:, 0], classes) if classes else values
    fitted = erasure_of_rows(x, concept, method)
    centred = x - fitted.mean
    changed = x - fitted(x)
    return Eraser(
        method=method,
        hook=hook,
        position=position,
        left=fitted.left,
        right=fitted.right,
        mean=fitted.mean,
        labels=targets.labels,
        removed=_share(changed.square().sum(), centred.square().sum()),
        origin=acts.origin,
        training_data=targets.fingerprint,
        n_rows=len(rows),
    )


def eraser_of_moments(
    moments: ClassMoments,
    hook: HookPoint,
    *,
    method: Method = "leace",
    position: str = "",
    origin: Origin | None = None,
) -> Eraser:
    """Make an eraser of the classes of streamed moments, without stored activations.

    Raises:
        SondeError: there is one class only, or the moments hold no covariance.
    """
    classes: Sequence[Any] = sorted(moments.by_class.get(hook, {}), key=str)
    if len(classes) < 2:
        raise SondeError(
            f"There are moments of {len(classes)} classes at {hook}; erasing takes two at least.",
            fix=f"Stream them with classes; hook points are {', '.join(map(str, moments.hooks))}.",
        )
    parts = [moments.of(hook, label) for label in classes]
    total = moments.total(hook)
    counts = torch.tensor([float(part.count) for part in parts], dtype=torch.float64)
    means = torch.stack([part.mean.cpu() for part in parts])
    covariance = total.covariance.cpu()
    fitted = erasure_of_classes(counts, means, covariance, method)
    taken = fitted.left @ fitted.right
    return Eraser(
        method=method,
        hook=hook,
        position=position,
        left=fitted.left,
        right=fitted.right,
        mean=fitted.mean,
        labels=tuple(map(str, classes)),
        removed=_share(((taken @ covariance) * taken).sum(), covariance.trace()),
        origin=origin or Origin(),
        n_rows=total.count,
    )


def _share(part: Tensor, whole: Tensor) -> float:
    return float(part / whole) if float(whole) > 0 else 0.0


def _check_finite(x: Float[Tensor, "row d_model"], hook: HookPoint) -> None:
    bad = int((~x.isfinite().all(dim=1)).sum())
    if bad:
        raise SondeError(
            f"{bad} of {len(x)} rows at {hook} hold NaN or Inf.",
            fix="Leave those examples out, or extract them again.",
        )
