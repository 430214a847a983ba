"""The random-direction control: what directions that nobody fitted say of the labels."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sonde.probes.fold_moments import Spread
from sonde.probes.problem import Problem
from sonde.probes.settings import Says


def draw_directions(name: str, seed: int, d_model: int, number: int) -> Float[Tensor, "d_model k"]:
    """Draw unit vectors, uniform on the sphere; ``name`` makes those of each place its own."""
    rng = np.random.default_rng([seed, 0xD1, zlib.crc32(name.encode())])
    drawn = rng.normal(size=(d_model, number))
    return torch.from_numpy(drawn / np.linalg.norm(drawn, axis=0))


@dataclass(frozen=True, eq=False)
class RandomDirections:
    """Standardised activations read along fixed unit vectors u, each a repetition of its own.

    ``p = z . u`` with z standardised by the training rows. From these, each target of numbers
    learns the line of least squares, ``mean(y) + cov(p, y) / var(p) (p - mean(p))``. Two classes
    learn the sign alone, ``sign(cov(p, y)) (p - m)``, m midway between the classes' means of p;
    several the nearest mean, ``-(p - m_c)^2``. A probe that is no better has found no direction of
    its own: most of them say as much.
    """

    problem: Problem
    directions: Float[Tensor, "layer d_model k"]
    says: Says
    n_classes: int = 0

    @cached_property
    def spread(self) -> tuple[Spread, ...]:
        """The spread of each fold, taken once for each layer."""
        return tuple(Spread.of_rows(x.double(), self.problem.folds) for x in self.problem.x)

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held k output"]:
        """Fit without the folds ``left_out`` and predict their rows; there is no penalty."""
        train = self.problem.outside(left_out)
        mean, scale = self._standards(left_out)
        unit = self.directions / scale[..., None]
        p = self.problem.x @ unit - torch.einsum("ld,ldk->lk", mean, unit)[:, None]
        y = self.problem.y[train, 0]
        if self.says == "logits":
            said = _nearest(p[:, train], y[:, 0], p[:, ~train], self.n_classes)
        elif self.says == "number":
            said = _line(p[:, train], y, p[:, ~train])
        else:
            said = _sign(p[:, train], y[:, 0], p[:, ~train])
        return said[:, None].expand(-1, len(penalties), -1, -1, -1)

    def _standards(
        self, left_out: Sequence[int]
    ) -> tuple[Float[Tensor, "layer d_model"], Float[Tensor, "layer d_model"]]:
        """Return mean and scale of each layer's rows outside some folds."""
        kept = [fold for fold in range(self.problem.n_folds) if fold not in left_out]
        found = [spread.over(kept) for spread in self.spread]
        return torch.stack([it.mean for it in found]), torch.stack([it.scale for it in found])


def _line(
    p: Float[Tensor, "layer row k"],
    y: Float[Tensor, "row target"],
    held: Float[Tensor, "layer held k"],
) -> Float[Tensor, "layer held k target"]:
    variance, centre = torch.var_mean(p, dim=1, correction=0)
    slope = torch.einsum("lrk,rt->lkt", p, y - y.mean(dim=0)) / len(y)
    gain = slope / torch.where(variance > 0, variance, 1.0)[..., None]
    return y.mean(dim=0) + gain[:, None] * (held - centre[:, None])[..., None]


def _sign(
    p: Float[Tensor, "layer row k"], y: Float[Tensor, " row"], held: Float[Tensor, "layer held k"]
) -> Float[Tensor, "layer held k one"]:
    low, high = (p[:, y == side].mean(dim=1) for side in (0.0, 1.0))
    slope = torch.einsum("lrk,r->lk", p, y - y.mean())
    return (slope.sign()[:, None] * (held - ((low + high) / 2)[:, None]))[..., None]


def _nearest(
    p: Float[Tensor, "layer row k"],
    y: Float[Tensor, " row"],
    held: Float[Tensor, "layer held k"],
    n_classes: int,
) -> Float[Tensor, "layer held k class_"]:
    member = torch.nn.functional.one_hot(y.long(), n_classes).to(p)
    means = torch.einsum("lrk,rc->lkc", p, member / member.sum(dim=0).clamp(min=1))
    away = (held[..., None] - means[:, None]).square()
    absent = torch.where(member.any(dim=0), 0.0, torch.inf)  # a class that no training row has
    return -(away + absent)
