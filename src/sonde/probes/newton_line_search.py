"""How long a Newton step is to be: objectives along it cost no product with the rows."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.probes.likelihood import Likelihood

TRIALS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """The objective ``loss(f + t along) + (own + 2 t cross + t^2 square) / 2`` along steps t."""

    likelihood: Likelihood
    f: Float[Tensor, "layer column output row"]
    along: Float[Tensor, "layer column output row"]
    own: Float[Tensor, "layer column"]
    cross: Float[Tensor, "layer column"]
    square: Float[Tensor, "layer column"]

    @classmethod
    def of(
        cls,
        likelihood: Likelihood,
        pull: Float[Tensor, "layer column one coordinate"],
        point: tuple[Tensor, Tensor],
        move: tuple[Tensor, Tensor],
    ) -> "Way":
        """Take coefficients with their logits, and a step of both; ``pull`` is their penalty."""
        (theta, f), (step, along) = point, move
        pairs = ((theta, theta), (theta, step), (step, step))
        own, cross, square = ((pull * a * b).sum(dim=(2, 3)) for a, b in pairs)
        return cls(likelihood, f, along, own, cross, square)

    def at(self, length: Float[Tensor, "layer column"]) -> Float[Tensor, "layer column"]:
        """Return the objectives at these lengths; at 0 they are those of the point."""
        norm = self.own + 2 * length * self.cross + length.square() * self.square
        return self.likelihood.loss(self.f + length[..., None, None] * self.along) + norm / 2


def line_search(
    way: Way, before: Float[Tensor, "layer column"], decrement: Float[Tensor, "layer column"]
) -> Float[Tensor, "layer column"]:
    """Halve each fit's step until the objective falls enough (Armijo's rule), or take 0."""
    length = torch.ones_like(before)
    enough = torch.zeros_like(before, dtype=torch.bool)
    for _ in range(TRIALS):
        now = way.at(length)
        # Near the optimum the fall is smaller than the rounding of the objective.
        enough = now <= before - 1e-4 * length * decrement + 1e-13 * before.abs()
        if bool(enough.all()):
            break
        length = torch.where(enough, length, length / 2)
    return torch.where(enough, length, 0.0)
