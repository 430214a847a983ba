"""The labelled rows of one position at several layers, and the fits that are made of them."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int
from torch import Tensor

from sonde.core.hooks import HookPoint

EPS = torch.finfo(torch.float32).eps


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of one position at hook points of one width, centred by their mean over all rows.

    Centring first leaves float32 its digits where a coordinate is large and varies little; no
    direction depends on it. ``y`` is 1 on the positive side and 0 on the other, ``pairs`` holds
    the numbers of a positive and a negative row of one group. ``train`` marks the rows of each
    fit: fit 0 has all, each other leaves one fold out. A coordinate that is constant up to
    rounding is 0.
    """

    x: Float32[Tensor, "layer row d_model"]
    y: Float64[Tensor, " row"]
    train: Bool[Tensor, "fit row"]
    pairs: Int[Tensor, "pair two"]
    hooks: tuple[HookPoint, ...]
    position: str
    memory: dict[int, Any] = field(default_factory=dict)  # what was formed of a fit's rows

    @classmethod
    def of(
        cls,
        x: Float[Tensor, "layer row d_model"],
        y: Float64[Tensor, " row"],
        train: Bool[Tensor, "fit row"],
        pairs: Int[Tensor, "pair two"],
        place: tuple[tuple[HookPoint, ...], str],
    ) -> "Rows":
        """Centre raw rows; ``place`` are their hook points and their position."""
        whole = x.double()
        mean = whole.mean(dim=1, keepdim=True)
        centred = whole - mean
        spread = centred.square().mean(dim=1)
        constant = spread <= (8 * EPS * mean[:, 0]).square()
        centred = torch.where(constant[:, None], 0.0, centred)
        return cls(centred.float(), y, train, pairs, *place)

    @property
    def centres(self) -> Float64[Tensor, "fit row"]:
        """Weights that give the difference of the classes' means: 1/n1 and -1/n0."""
        positive = self.train * self.y
        negative = self.train * (1 - self.y)
        return positive / positive.sum(1, keepdim=True) - negative / negative.sum(1, keepdim=True)

    def split(self, size: int) -> "list[Rows]":
        """Return the rows in parts of so many layers."""
        return [
            replace(self, x=self.x[at : at + size], hooks=self.hooks[at : at + size], memory={})
            for at in range(0, len(self.hooks), size)
        ]

    def without(self, dimensions: tuple[int, ...]) -> "Rows":
        """Return the rows with some coordinates set to zero."""
        x = self.x.clone()
        x[..., list(dimensions)] = 0.0
        return replace(self, x=x, memory={})


def pairs_of(unit: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the numbers of a positive and a negative row of one group, ``[pair, 2]``.

    Where a group has several rows of a side they are paired in order; what is left over of the
    longer side is in no pair.
    """
    _, group = np.unique(unit, return_inverse=True)
    found: list[tuple[int, int]] = []
    for members in np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1]):
        positive, negative = members[y[members] > 0.5], members[y[members] < 0.5]
        found += zip(positive.tolist(), negative.tolist(), strict=False)
    return np.array(found, np.int64).reshape(-1, 2)
