"""Newton's equations of penalised likelihoods, many at once, by conjugate gradients."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.activations.gram import lower_gram
from sonde.probes.likelihood import Likelihood

CONJUGATE_STEPS = 500
RIDGE = 1e-6  # of the curvature, added to inverses so that float32 has them
LEAST, MOST = 1e-4, 0.03  # share of the squared error that a solution may leave


def times(
    columns: Float[Tensor, "layer column output side"], matrix: Float[Tensor, "layer side other"]
) -> Float[Tensor, "layer column output other"]:
    """Multiply the columns of each layer by its matrix, in one product."""
    return (columns.flatten(1, 2) @ matrix).unflatten(1, columns.shape[1:3])


def turned(
    z: Float[Tensor, "layer any coordinate"], basis: Float[Tensor, "layer d_model d_model"] | None
) -> Float[Tensor, "layer any coordinate"]:
    """Turn coordinates by a basis (None: not at all), the last apart, which is 1 in every row."""
    if basis is None:
        return z
    return torch.cat([z[..., :-1] @ basis.to(z), z[..., -1:]], dim=-1)


def inverse(
    z: Float[Tensor, "layer row coordinate"],
    curvature: Float[Tensor, "layer row"],
    penalty: Float[Tensor, "layer coordinate"],
) -> Float[Tensor, "layer coordinate coordinate"]:
    """Return the inverse of z'Sz + penalty; of its diagonal alone where it has none in z's type."""
    root = z * curvature.sqrt()[..., None]
    lower = root.mT @ root if z.is_cuda else torch.stack([lower_gram(layer) for layer in root])
    diagonal = lower.diagonal(dim1=-2, dim2=-1)
    diagonal += penalty + RIDGE * curvature.sum(dim=-1, keepdim=True)
    factor, failed = torch.linalg.cholesky_ex(lower)
    found = torch.cholesky_inverse(factor)
    sound = (failed == 0) & found.sum(dim=(1, 2)).isfinite()
    if not bool(sound.all()):
        found[~sound] = torch.diag_embed(1 / diagonal[~sound])
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Equations:
    """``(z'Bz + penalty) step = right`` for each layer and column, B the loss's curvature.

    ``spectrum`` is the diagonal of z'z for one row; along principal axes there is little else.
    ``inverses`` holds those of the groups of columns that have one; others make do with that
    diagonal. Columns of a group follow one another.
    """

    z: Float[Tensor, "layer row coordinate"]
    likelihood: Likelihood
    chance: Float[Tensor, "layer column output row"]
    penalty: Float[Tensor, "layer column coordinate"]
    group: Int[Tensor, " column"]
    spectrum: Float[Tensor, "layer coordinate"]
    inverses: Mapping[int, Float[Tensor, "layer coordinate coordinate"]]

    def part(self, columns: Int[Tensor, " some"]) -> "Equations":
        """Keep some columns."""
        return replace(
            self,
            likelihood=self.likelihood.part(columns),
            chance=self.chance[:, columns],
            penalty=self.penalty[:, columns],
            group=self.group[columns],
        )

    def solve(
        self,
        right: Float[Tensor, "layer column output coordinate"],
        weight: Float[Tensor, "layer column"],
    ) -> tuple[Float[Tensor, "layer column output coordinate"], Int[Tensor, " column"]]:
        """Solve, the closer to the optimum the more exactly; count the products of each column.

        ``weight`` turns the squared length of the solution into a share of the objective.
        """
        system, ask = _System(self), self.likelihood.told(right)
        solution, moved = torch.zeros_like(ask), torch.zeros_like(ask)
        residual, search = ask, system.near(ask)
        size = _dot(residual, search)
        goal = size * (size.to(weight) * weight).clamp(LEAST, MOST).to(size)
        products = torch.zeros(right.shape[1], dtype=torch.long, device=right.device)
        left = torch.arange(right.shape[1], device=right.device)
        for number in range(1, CONJUGATE_STEPS + 1):
            image = system.image(search)
            bend = _dot(search, image)
            going = (size > goal) & (bend > 0)  # rounding may take the last of it
            length = torch.where(going, size / bend, 0.0)[..., None, None]
            moved = moved + length * search
            residual = residual - length * image
            scaled = system.near(residual)
            new = torch.where(going, _dot(residual, scaled), 0.0)
            search = scaled + torch.where(going, new / size, 0.0)[..., None, None] * search
            size = new
            still = (size > goal).any(dim=0)
            if number == CONJUGATE_STEPS or not bool(still.all()):
                solution[:, left], products[left] = moved, number
                here = still.nonzero()[:, 0]
                if not len(here):
                    break
                left, system = left[here], _System(system.of.part(here))
                moved, residual, search = (one[:, here] for one in (moved, residual, search))
                size, goal = size[:, here], goal[:, here]
        return solution, products


class _System:
    """Equations with what their products need again and again."""

    def __init__(self, of: Equations) -> None:
        self.of = of
        self.bend = of.likelihood.bend(of.chance)
        curvature = of.likelihood.curvature(of.chance).sum(dim=-1)
        own = curvature[..., None] * (of.spectrum[:, None] + RIDGE)
        self.diagonal = (own + of.penalty)[:, :, None]
        self.runs = runs(of.group) if of.inverses else []
        inverted = [group in of.inverses for group, _ in self.runs]
        self.rough = not inverted or not all(inverted)

    def image(self, step: Tensor) -> Tensor:
        """Multiply by the Hessian."""
        of = self.of
        return times(self.bend(times(step, of.z.mT)), of.z) + of.penalty[:, :, None] * step

    def near(self, right: Tensor) -> Tensor:
        """Solve roughly."""
        of = self.of
        found = right / self.diagonal if self.rough else torch.empty_like(right)
        for group, columns in self.runs:
            if group in of.inverses:
                found[:, columns] = times(right[:, columns], of.inverses[group])
        return of.likelihood.told(found)  # rounding would grow along what has no curvature


def runs(group: Int[Tensor, " column"]) -> list[tuple[int, Int[Tensor, " some"]]]:
    """Return each group with its columns."""
    numbers, sizes = torch.unique_consecutive(group, return_counts=True)
    columns = torch.arange(len(group), device=group.device).split(sizes.tolist())
    return list(zip(numbers.tolist(), columns, strict=True))


def _dot(a: Tensor, b: Tensor) -> Float[Tensor, "layer column"]:
    return (a * b).sum(dim=(2, 3))
