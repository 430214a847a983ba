"""Made-up activations in which the truth is known in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sonde.activations import ActivationsInMemory, Origin, RowTable
from sonde.core.hooks import HookPoint, Site


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """Activations of layers 0, 1, … with labels; ``means`` are the planted vectors, one a layer.

    Classes: the noise is N(0, I) and the classes' means lie ``means`` apart. Numbers:
    ``y = x . mean + N(0, 1)`` at each layer with a mean, which only one may have.
    """

    acts: ActivationsInMemory
    labels: np.ndarray
    means: np.ndarray  # [layer, d_model]

    def split(self, sizes: Sequence[int]) -> list["Planted"]:
        """Divide the layers among several searches of the same rows."""
        parts, start = [], 0
        for size in sizes:
            hooks = self.acts.hooks[start : start + size]
            tensors = {hook: self.acts.tensors[hook] for hook in hooks}
            acts = replace(self.acts, tensors=tensors)
            parts.append(Planted(acts, self.labels, self.means[start : start + size]))
            start += size
        return parts


def classes(
    rng: np.random.Generator,
    strengths: Sequence[float],
    n: int,
    d: int,
    *,
    group_of: int = 1,
    alike: float = 0.0,
) -> Planted:
    """Plant a label of two classes with ``strengths[layer]`` standard deviations between means.

    Args:
        rng: the only source of chance.
        strengths: one a layer; 0 is pure noise.
        n: rows, half of them positive.
        d: the width.
        group_of: rows in each group; they share their label.
        alike: the share of the noise's variance that the rows of a group share.
    """
    n_groups = n // group_of
    group = np.repeat(np.arange(n_groups), group_of)
    label = rng.permutation(np.arange(n_groups) % 2)[group]
    means = _directions(rng, len(strengths), d) * np.asarray(strengths)[:, None]
    tensors = []
    for mean in means:
        own, shared = rng.normal(size=(n, d)), rng.normal(size=(n_groups, d))
        noise = np.sqrt(1 - alike) * own + np.sqrt(alike) * shared[group] if alike else own
        tensors.append(noise + (label - 0.5)[:, None] * mean)
    return Planted(wrap(tensors, group), label, means)


def numbers(
    rng: np.random.Generator, strength: float, n: int, d: int, *, layers: int = 3
) -> Planted:
    """Plant a number in the middle layer: the closed-form R^2 is s^2 / (1 + s^2)."""
    means = _directions(rng, layers, d)
    means[np.arange(layers) != layers // 2] = 0
    means *= strength
    tensors = [rng.normal(size=(n, d)) for _ in range(layers)]
    y = tensors[layers // 2] @ means[layers // 2] + rng.normal(size=n)
    return Planted(wrap(tensors, np.arange(n)), y, means)


def wrap(tensors: Sequence[np.ndarray], group: np.ndarray) -> ActivationsInMemory:
    """Make activations of arrays ``[row, d_model]``, one a layer."""
    import torch

    n = len(tensors[0])
    whole = np.zeros(n, np.int32)
    rows = RowTable(
        example=np.array([f"e{number:06d}" for number in range(n)]),
        position=np.full(n, "prompt[-1]"),
        token=whole,
        token_id=whole,
        n_tokens=whole + 1,
        start=whole - 1,
        end=whole - 1,
        group=np.array([f"g{number:06d}" for number in group]),
    )
    return ActivationsInMemory(
        tensors={
            HookPoint(layer, Site.RESID_POST): torch.from_numpy(x)
            for layer, x in enumerate(tensors)
        },
        rows=rows,
        origin=Origin(model="planted"),
    )


def true_auroc(weight: np.ndarray, mean: np.ndarray) -> float:
    """Return the AUROC of ``x . weight`` on fresh rows: Phi(w . mean / (|w| sqrt 2))."""
    from scipy.special import ndtr

    length = float(np.linalg.norm(weight))
    return float(ndtr(weight @ mean / (length * np.sqrt(2)))) if length else 0.5


def true_r2(weight: np.ndarray, bias: float, mean: np.ndarray, total: float) -> float:
    """Return the R^2 of ``x . weight + bias`` on fresh rows of a number whose variance is total.

    The error is ``|w - mean|^2 + bias^2`` beside what is not explained by the layer's own mean.
    """
    unexplained = total - mean @ mean
    return float(1 - (np.square(weight - mean).sum() + bias**2 + unexplained) / total)


def _directions(rng: np.random.Generator, layers: int, d: int) -> np.ndarray:
    found = rng.normal(size=(layers, d))
    return found / np.linalg.norm(found, axis=1, keepdims=True)
