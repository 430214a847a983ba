"""Penalised logistic regression, many at once, by Newton's method with conjugate gradients.

Minimises, for each layer and column (a pair of a penalty and a target),

    F = sum_rows [log(1 + exp(f)) - y f] + penalty / 2 |theta|^2,   f = q theta + b, b free,

which is scikit-learn's objective divided by its C = 1 / penalty. The inputs ``q`` are rotated so
that ``q'q`` is diagonal. The Hessian ``q'Sq + penalty I`` is then nearly diagonal too, and few
conjugate gradient steps, preconditioned by that diagonal, solve it (Komarek and Moore 2005). A fit
ends when half the Newton decrement, which near the optimum is the distance to it, is below a share
``tolerance`` of F; the step is still taken.

Columns come before rows in memory: a product of few columns is then three times as fast.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

NEWTON_STEPS = 100
CONJUGATE_STEPS = 500
HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients ``theta`` and intercepts, and whether all fits reached the tolerance."""

    theta: Float[Tensor, "layer column rotated"]
    bias: Float[Tensor, "layer column"]
    converged: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Fits to make: every layer with every column."""

    q: Float[Tensor, "layer row rotated"]
    spectrum: Float[Tensor, "layer rotated"]  # the diagonal of q'q
    y: Float[Tensor, "column row"]
    penalty: Float[Tensor, "layer column"]

    def part(self, layers: Tensor, columns: Tensor) -> "Problem":
        """Keep some layers and some columns."""
        every = len(layers) == len(self.q)
        return Problem(
            self.q if every else self.q[layers],
            self.spectrum if every else self.spectrum[layers],
            self.y[columns],
            self.penalty[layers][:, columns],
        )


def fit_logistic(problem: Problem, tolerance: Float[Tensor, " column"]) -> Fit:
    """Fit every layer and column; see the module for the objective and the tolerance.

    A column with one class only (a shuffled control may have one) gets no coefficients and the
    intercept of half a row of the other class.
    """
    y, q = problem.y, problem.q
    n = y.shape[1]
    share = y.mean(dim=1).clamp(0.5 / (n + 1), 1 - 0.5 / (n + 1))
    bias = torch.logit(share).expand(len(q), -1).clone()
    theta = q.new_zeros(len(q), len(y), q.shape[2])
    active = (y.amax(dim=1) > y.amin(dim=1)).expand(len(q), -1).clone()
    for _ in range(NEWTON_STEPS):
        if not active.any():
            break
        layers, columns = active.any(dim=1).nonzero()[:, 0], active.any(dim=0).nonzero()[:, 0]
        grid = layers[:, None], columns[None]
        part = problem.part(layers, columns)
        theta[grid], bias[grid], done = _step(part, theta[grid], bias[grid], tolerance[columns])
        active[grid] &= ~done
    return Fit(theta, bias, converged=not bool(active.any()))


def _step(
    problem: Problem, theta: Tensor, bias: Tensor, tolerance: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Move every fit by one Newton step; say which were at their optimum."""
    q, penalty = problem.q, problem.penalty
    linear = theta @ q.mT + bias[..., None]
    chance = torch.sigmoid(linear)
    residual = chance - problem.y
    slope = torch.cat(
        [residual @ q + penalty[..., None] * theta, residual.sum(dim=-1, keepdim=True)], dim=-1
    )
    before = _loss(linear, problem.y) + penalty / 2 * theta.square().sum(dim=-1)
    # The floor keeps the direction finite where every row is certain.
    curvature = (chance * (1 - chance)).clamp(min=1e-12)
    step = _conjugate_gradients(problem, curvature, -slope, before)
    decrement = -(slope * step).sum(dim=-1)
    length = _line_search(problem, (theta, linear), step, before, decrement)
    theta = theta + length[..., None] * step[..., :-1]
    return theta, bias + length * step[..., -1], decrement <= 2 * tolerance * before


def _line_search(
    problem: Problem,
    point: tuple[Tensor, Tensor],
    step: Tensor,
    before: Tensor,
    decrement: Tensor,
) -> Float[Tensor, "layer column"]:
    """Halve each fit's step until the objective falls enough (Armijo's rule)."""
    theta, linear = point
    along = step[..., :-1] @ problem.q.mT + step[..., -1:]
    squares = theta.square().sum(dim=-1), step[..., :-1].square().sum(dim=-1)
    cross = (theta * step[..., :-1]).sum(dim=-1)
    length = torch.ones_like(before)
    for _ in range(HALVINGS):
        norm = squares[0] + 2 * length * cross + length.square() * squares[1]
        now = _loss(linear + length[..., None] * along, problem.y) + problem.penalty / 2 * norm
        # Near the optimum the fall is smaller than the rounding of the objective.
        enough = now <= before - 1e-4 * length * decrement + 1e-13 * before.abs()
        if bool(enough.all()):
            break
        length = torch.where(enough, length, length / 2)
    return length


def _loss(linear: Tensor, y: Tensor) -> Tensor:
    # softplus(-f) for a 1, softplus(f) for a 0: no digits are lost where a row is certain.
    return torch.nn.functional.softplus(linear * (1 - 2 * y), threshold=40).sum(dim=-1)


def _conjugate_gradients(
    problem: Problem, curvature: Tensor, right: Tensor, objective: Tensor
) -> Float[Tensor, "layer column rotated_and_bias"]:
    """Solve the Newton equations; the closer to the optimum, the more exactly."""
    mean = curvature.mean(dim=-1, keepdim=True)
    diagonal = torch.cat(
        [
            problem.spectrum[:, None] * mean + problem.penalty[..., None],
            mean * problem.q.shape[1],
        ],
        dim=-1,
    )
    solution, residual = torch.zeros_like(right), right
    search = residual / diagonal
    size = (residual * search).sum(dim=-1)
    goal = size * (size / objective).clamp(1e-12, 0.03)
    for _ in range(CONJUGATE_STEPS):
        image = _hessian(problem, curvature, search)
        going = size > goal
        bend = torch.where(going, (search * image).sum(dim=-1), 1.0)
        length = torch.where(going, size / bend, 0.0)[..., None]
        solution = solution + length * search
        residual = residual - length * image
        scaled = residual / diagonal
        new_size = (residual * scaled).sum(dim=-1)
        if not bool((going & (new_size > goal)).any()):
            break
        search = scaled + torch.where(going, new_size / size, 0.0)[..., None] * search
        size = torch.where(going, new_size, size)
    return solution


def _hessian(problem: Problem, curvature: Tensor, vector: Tensor) -> Tensor:
    theta = vector[..., :-1]
    weighted = curvature * (theta @ problem.q.mT + vector[..., -1:])
    return torch.cat(
        [
            weighted @ problem.q + problem.penalty[..., None] * theta,
            weighted.sum(dim=-1, keepdim=True),
        ],
        dim=-1,
    )
