"""Log-losses of two classes and of several, with their slopes and curvatures along the logits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Logits: TypeAlias = Float[Tensor, "layer column output row"]


@runtime_checkable
class Likelihood(Protocol):
    """A loss that is a sum over rows, each row with its weight; a column is one fit of a layer."""

    @property
    def weight(self) -> Float[Tensor, "column row"]:
        """How much each row counts."""
        ...

    @property
    def varies(self) -> Bool[Tensor, " column"]:
        """Whether the rows of a column are of several classes."""
        ...

    @property
    def start(self) -> Float[Tensor, "column output"]:
        """The best intercepts where there are no other coefficients."""
        ...

    def loss(self, f: Logits) -> Float[Tensor, "layer column"]:
        """Return the weighted sum over rows."""
        ...

    def chance(self, f: Logits) -> Logits:
        """Return the chance of each output's class."""
        ...

    def residual(self, chance: Logits) -> Logits:
        """Return the slope of the loss along the logits: weight (chance - truth)."""
        ...

    def curvature(self, chance: Logits) -> Float[Tensor, "layer column row"]:
        """Return each row's own curvature, the mean of the outputs'."""
        ...

    def bend(self, chance: Logits) -> Callable[[Logits], Logits]:
        """Return the product with the loss's second derivative along the logits, in their type."""
        ...

    def told(self, theta: Float[Tensor, "layer column output any"]) -> Tensor:
        """Return theta without what changes no chance."""
        ...

    def part(self, columns: Tensor) -> "Likelihood":
        """Keep some columns."""
        ...


@dataclass(frozen=True, slots=True)
class TwoClasses:
    """``sum weight [log(1 + exp(f)) - y f]`` with y 0 or 1; one output."""

    y: Float[Tensor, "column row"]
    weight: Float[Tensor, "column row"]

    @property
    def varies(self) -> Bool[Tensor, " column"]:
        """Whether both classes have rows."""
        ones = (self.weight * self.y).sum(dim=1)
        return (ones > 0) & (ones < self.weight.sum(dim=1))

    @property
    def start(self) -> Float[Tensor, "column output"]:
        """The log-odds; of a column with one class only, as if half a row were of the other."""
        total = self.weight.sum(dim=1)
        least = 0.5 / (total + 1)
        share = (self.weight * self.y).sum(dim=1) / total.clamp(min=1e-300)
        return torch.logit(torch.maximum(torch.minimum(share, 1 - least), least))[:, None]

    def loss(self, f: Logits) -> Float[Tensor, "layer column"]:
        """Return the weighted sum over rows."""
        # softplus(-f) for a 1, softplus(f) for a 0: no digits are lost where a row is certain.
        signed = f[:, :, 0] * (1 - 2 * self.y)
        return (self.weight * torch.nn.functional.softplus(signed, threshold=40)).sum(dim=-1)

    def chance(self, f: Logits) -> Logits:
        """Return the chance of a 1."""
        return torch.sigmoid(f)

    def residual(self, chance: Logits) -> Logits:
        """Return weight (chance - y)."""
        return (self.weight * (chance[:, :, 0] - self.y))[:, :, None]

    def curvature(self, chance: Logits) -> Float[Tensor, "layer column row"]:
        """Return weight chance (1 - chance)."""
        one = chance[:, :, 0]
        return self.weight.to(chance) * one * (1 - one)

    def bend(self, chance: Logits) -> Callable[[Logits], Logits]:
        """Multiply by the curvature."""
        # The floor keeps the direction finite where every row is certain.
        curvature = self.curvature(chance).clamp(min=1e-12)[:, :, None]
        return lambda along: curvature * along

    def told(self, theta: Float[Tensor, "layer column output any"]) -> Tensor:
        """Return theta, all of which matters."""
        return theta

    def part(self, columns: Tensor) -> "TwoClasses":
        """Keep some columns."""
        return TwoClasses(self.y[columns], self.weight[columns])


@dataclass(frozen=True, slots=True)
class Classes:
    """``sum weight [log sum_k exp(f_k) - f_y]``, an output for each class.

    A class that a column has no rows of takes no part in its fit: no coefficients, and the
    intercept of half a row.
    """

    truth: Float[Tensor, "column output row"]  # 1 at a row's own class, 0 at the others
    weight: Float[Tensor, "column row"]
    rows: Float[Tensor, "column output"]  # how many each class has, by weight

    @classmethod
    def of(
        cls, y: Float[Tensor, "column row"], n_classes: int, weight: Float[Tensor, "column row"]
    ) -> "Classes":
        """Take class numbers."""
        truth = torch.nn.functional.one_hot(y.long(), n_classes).mT.to(weight)
        return cls(truth, weight, torch.einsum("cor,cr->co", truth, weight))

    @property
    def varies(self) -> Bool[Tensor, " column"]:
        """Whether at least two classes have rows."""
        return (self.rows > 0).sum(dim=1) > 1

    @property
    def start(self) -> Float[Tensor, "column output"]:
        """The logarithms of the shares, with mean 0."""
        found = self.rows.clamp(min=0.5).log()
        return found - found.mean(dim=1, keepdim=True)

    def loss(self, f: Logits) -> Float[Tensor, "layer column"]:
        """Return the weighted sum over rows."""
        own = (f * self.truth).sum(dim=2)
        return (self.weight * (self._open(f).logsumexp(dim=2) - own)).sum(dim=-1)

    def chance(self, f: Logits) -> Logits:
        """Return the softmax over the classes that have rows."""
        return self._open(f).softmax(dim=2)

    def residual(self, chance: Logits) -> Logits:
        """Return weight (chance - truth)."""
        return self.weight[:, None] * (chance - self.truth)

    def curvature(self, chance: Logits) -> Float[Tensor, "layer column row"]:
        """Return weight sum_k chance_k (1 - chance_k) / (classes - 1)."""
        several = max(self.truth.shape[1] - 1, 1)
        return self.weight.to(chance) * (chance * (1 - chance)).sum(dim=2) / several

    def bend(self, chance: Logits) -> Callable[[Logits], Logits]:
        """Multiply by weight (diag(chance) - chance chance')."""
        share = self.weight[:, None].to(chance) * chance

        def product(along: Logits) -> Logits:
            return share * (along - (chance * along).sum(dim=2, keepdim=True))

        return product

    def told(self, theta: Float[Tensor, "layer column output any"]) -> Tensor:
        """Return theta less what all classes with rows share; 0 of the others."""
        there = (self.rows > 0).to(theta)[..., None]
        mean = (theta * there).sum(dim=2, keepdim=True) / there.sum(dim=1, keepdim=True)
        return (theta - mean) * there

    def part(self, columns: Tensor) -> "Classes":
        """Keep some columns."""
        return Classes(self.truth[columns], self.weight[columns], self.rows[columns])

    def _open(self, f: Logits) -> Logits:
        return torch.where(self.rows[..., None] > 0, f, -torch.inf)
