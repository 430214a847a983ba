"""Penalised likelihoods, many at once, by Newton's method.

Minimises, for each layer and column (a pair of a penalty and a repetition of the labels),

    F = loss(f) + penalty / 2 |theta|^2,   f = z theta + b, b free,

which is scikit-learn's objective divided by its C = 1 / penalty. Objectives and gradients are in
float64, so that the end is exact; Newton's equations are solved in float32, no closer than the
step deserves, which costs digits of a step but not of the optimum. Where float32 yields no
descent, the rest is done in float64. The equations are preconditioned by an inverse Hessian of
the mean curvature of the columns of a group (those of one penalty), formed anew when it has grown
too old to serve.

A fit ends when half the Newton decrement, which near the optimum is the distance to it, is below a
share ``tolerance`` of F; the step is still taken.

Columns come before rows in memory: a product of few columns is then three times as fast.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.probes.likelihood import Likelihood
from sonde.probes.newton_equations import Equations, runs, times, turned
from sonde.probes.newton_inverses import Inverses
from sonde.probes.newton_line_search import Way, line_search

NEWTON_STEPS = 100
PATIENCE = 6  # steps that may pass without halving the distance to the optimum
NEAR = 1e-9  # share of F; a fit that rounding keeps from its tolerance has still converged


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients, the last the intercept, and which fits reached their optimum."""

    theta: Float[Tensor, "layer column output coordinate"]
    converged: Bool[Tensor, "layer column"]


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """Fits to make: every layer with every column.

    The last coordinate of ``z`` is 1. Columns of one ``group`` follow one another and share a
    penalty. ``basis`` are axes of z without the last, near the principal ones; None says that the
    coordinates are those.
    """

    z: Float[Tensor, "layer row coordinate"]
    likelihood: Likelihood
    penalty: Float[Tensor, "layer column"]
    group: Int[Tensor, " column"]
    tolerance: Float[Tensor, " column"]
    basis: Float[Tensor, "layer d_model d_model"] | None = None

    def part(self, columns: Tensor) -> "Fits":
        """Keep some columns."""
        return Fits(
            self.z,
            self.likelihood.part(columns),
            self.penalty[:, columns],
            self.group[columns],
            self.tolerance[columns],
            self.basis,
        )

    @property
    def pull(self) -> Float[Tensor, "layer column one coordinate"]:
        """The penalty of each coordinate: none of the intercept."""
        pull = self.penalty[..., None, None].repeat(1, 1, 1, self.z.shape[2])
        pull[..., -1] = 0
        return pull


def fit(fits: Fits) -> Fit:
    """Fit every layer and column; see the module for the objective and the tolerance.

    A column whose rows are all of one class (a shuffled control's may be) gets no coefficients and
    the intercept of half a row of another.
    """
    start, z = fits.likelihood.start, fits.z
    theta = z.new_zeros(len(z), *start.shape, z.shape[2])
    theta[..., -1] = start
    f = theta[..., -1:].repeat(1, 1, 1, z.shape[1])
    active = fits.likelihood.varies.expand(len(z), -1).clone()
    gap = torch.where(active, torch.inf, 0.0).to(z)
    # Patience is of the distance, not of its share: between classes that hardly overlap the
    # objective falls as fast as the distance, step after step.
    off, best, since = gap.clone(), gap.clone(), torch.zeros_like(gap)
    newton = Newton(turned(fits.z.to(torch.float32), fits.basis))
    for _ in range(NEWTON_STEPS):
        columns = active.any(dim=0).nonzero()[:, 0]
        if not len(columns):
            break
        part = fits.part(columns)
        move = newton.step(part, theta[:, columns], f[:, columns])
        theta[:, columns] += move.step
        f[:, columns] += move.along
        gap[:, columns], off[:, columns] = move.gap, move.off
        active &= ~(gap <= fits.tolerance)
        halved = off < best / 2
        since, best = torch.where(halved, 0, since + 1), torch.where(halved, off, best)
        stuck = active & ((since >= PATIENCE) | gap.isinf())
        if bool(stuck.any()):
            since.zero_()
            # In float64 it is rounding that keeps a fit from its tolerance, or no step is left.
            if newton.exact(fits):
                active &= ~(stuck & ((gap <= NEAR) | gap.isinf()))
    return Fit(theta, gap <= fits.tolerance.clamp(min=NEAR))


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """A step of each fit and what it adds to the logits.

    ``off`` is the Newton decrement before it, ``gap`` half its share of the objective; both are
    infinite where no step was found, and 0 where rounding leaves none.
    """

    step: Float[Tensor, "layer column output coordinate"]
    along: Float[Tensor, "layer column output row"]
    gap: Float[Tensor, "layer column"]
    off: Float[Tensor, "layer column"]


class Newton:
    """The state that steps share: the precision, and the inverse Hessians that are still good."""

    def __init__(self, z: Float[Tensor, "layer row axis"]) -> None:
        self.z = z
        self.spectrum = z.square().mean(dim=1)
        self.inverses = Inverses()

    def exact(self, fits: Fits) -> bool:
        """Go on in float64; return whether that is nothing new."""
        already = self.z.dtype == fits.z.dtype
        if not already:
            self.z, self.inverses = turned(fits.z, fits.basis), Inverses()
            self.spectrum = self.spectrum.to(self.z)
        return already

    def step(self, fits: Fits, theta: Tensor, f: Tensor) -> "Move":
        """Find a step of every fit, and how far off it was before."""
        likelihood, pull = fits.likelihood, fits.pull
        chance = likelihood.chance(f)
        slope = times(likelihood.residual(chance), fits.z) + pull * theta
        before = likelihood.loss(f) + (pull * theta.square()).sum(dim=(2, 3)) / 2
        step = self._direction(fits, pull, chance, -slope, before)
        decrement = -(slope * step).sum(dim=(2, 3))
        along = times(step, fits.z.mT)
        way = Way.of(likelihood, pull, (theta, f), (step, along))
        length = line_search(way, before, decrement)
        gap = decrement.abs() / (2 * before.clamp(min=1e-300))
        sound = (decrement >= 0) & (length > 0)
        gap = torch.where(sound, gap, torch.where(gap <= NEAR, 0.0, torch.inf))
        length = torch.where(sound, length, 0.0)[..., None, None]
        return Move(
            length * step.nan_to_num(),
            length * along.nan_to_num(),
            gap,
            off=torch.where(sound, decrement, gap),
        )

    def _direction(
        self, fits: Fits, pull: Tensor, chance: Tensor, right: Tensor, objective: Tensor
    ) -> Float[Tensor, "layer column output coordinate"]:
        """Solve Newton's equations; note which groups took too many products."""
        low, pull = chance.to(self.z), pull[:, :, 0].to(self.z)
        groups = runs(fits.group)
        self.inverses.renew(self.z, fits.likelihood, low, pull, groups)
        equations = Equations(
            self.z, fits.likelihood, low, pull, fits.group, self.spectrum, self.inverses.of
        )
        # In float32 there is no room for right sides of any size.
        unit = right.abs().amax(dim=(2, 3), keepdim=True).clamp(min=1e-300)
        scaled = (right / unit).to(self.z)
        scaled = turned(scaled.flatten(1, 2), fits.basis).view_as(right)
        weight = unit[..., 0, 0].square() / objective.clamp(min=1e-300)
        step, products = equations.solve(scaled, weight)
        rows, side = self.z.shape[1:]
        self.inverses.judge(products, fits.penalty, groups, (rows, side))
        back = None if fits.basis is None else fits.basis.mT
        step = turned(step.flatten(1, 2), back).view_as(right)
        return fits.likelihood.told(step.to(right) * unit)
