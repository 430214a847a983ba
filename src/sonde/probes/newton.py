"""Penalised logistic regression, many at once, by Newton's method with conjugate gradients.

Minimises, for each layer and column (a pair of a penalty and a target),

    F = sum_rows [log(1 + exp(f)) - y f] + penalty / 2 |theta|^2,   f = q theta + b, b free,

which is scikit-learn's objective divided by its C = 1 / penalty. The inputs ``q`` are rotated so
that ``q'q`` is diagonal. The Hessian ``q'Sq + penalty I`` is then nearly diagonal too, and few
conjugate gradient steps solve it (Komarek and Moore 2005 use the same scheme). A fit ends
when half the Newton decrement, which near the optimum is the distance to it, is below a share
``tolerance`` of F.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

NEWTON_STEPS = 100
CONJUGATE_STEPS = 200


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients ``theta`` and intercepts, and whether each fit reached the tolerance."""

    theta: Float[Tensor, "layer rotated column"]
    bias: Float[Tensor, "layer column"]
    converged: bool


@dataclass(slots=True)
class _State:
    """The current point of every fit. ``active`` are the columns that some layer still works on."""

    theta: Tensor
    bias: Tensor
    linear: Tensor  # f, [layer, row, column]


def fit_logistic(
    q: Float[Tensor, "layer row rotated"],
    spectrum: Float[Tensor, "layer rotated"],
    y: Float[Tensor, "row column"],
    penalty: Float[Tensor, "one_or_layer column"],
    tolerance: float = 1e-10,
) -> Fit:
    """Fit every layer and column; see the module for the objective.

    ``spectrum`` is the diagonal of ``q'q``. A column with one class only (a shuffled control may
    have one) gets no coefficients and the intercept of one half a row of the other class.
    """
    n, n_columns = y.shape
    share = y.mean(dim=0).clamp(0.5 / (n + 1), 1 - 0.5 / (n + 1))
    bias = torch.logit(share).expand(len(q), -1).clone()
    theta = q.new_zeros(len(q), q.shape[2], n_columns)
    penalty = penalty.expand(len(q), -1)
    active = torch.nonzero(y.amax(dim=0) > y.amin(dim=0)).flatten()
    for _ in range(NEWTON_STEPS):
        if not len(active):
            break
        state = _State(theta[..., active], bias[:, active], torch.empty(0))
        state.linear = q @ state.theta + state.bias[:, None]
        done = _step(state, q, spectrum, y[:, active], penalty[:, active], tolerance)
        theta[..., active], bias[:, active] = state.theta, state.bias
        active = active[~done.all(dim=0)]
    return Fit(theta, bias, converged=not len(active))


def _step(
    state: _State, q: Tensor, spectrum: Tensor, y: Tensor, penalty: Tensor, tolerance: float
) -> Tensor:
    """Move every fit by one Newton step; return which were at their optimum."""
    chance = torch.sigmoid(state.linear)
    residual = chance - y
    slope = torch.cat(
        [q.mT @ residual + penalty[:, None] * state.theta, residual.sum(dim=1, keepdim=True)], dim=1
    )
    # The floor keeps the direction finite where every row is certain.
    curvature = (chance * (1 - chance)).clamp(min=1e-12)
    step = _conjugate_gradients(q, spectrum, curvature, penalty, -slope)
    decrement = -(slope * step).sum(dim=1)
    along = q @ step[:, :-1] + step[:, -1:]
    before = _objective(state.linear, y) + penalty / 2 * state.theta.square().sum(dim=1)
    length = _line_search(state, step, along, before, decrement, (y, penalty))
    state.theta = state.theta + length[:, None] * step[:, :-1]
    state.bias = state.bias + length * step[:, -1]
    return decrement <= 2 * tolerance * before


def _line_search(
    state: _State,
    step: Tensor,
    along: Tensor,
    before: Tensor,
    decrement: Tensor,
    problem: tuple[Tensor, Tensor],
) -> Tensor:
    """Halve each fit's step until the objective falls enough (Armijo's rule)."""
    y, penalty = problem
    cross = (state.theta * step[:, :-1]).sum(dim=1)
    squares = state.theta.square().sum(dim=1), step[:, :-1].square().sum(dim=1)
    length = torch.ones_like(before)
    for _ in range(40):
        norm = squares[0] + 2 * length * cross + length.square() * squares[1]
        now = _objective(state.linear + length[:, None] * along, y) + penalty / 2 * norm
        # Near the optimum the fall is smaller than the rounding of the objective.
        enough = now <= before - 1e-4 * length * decrement + 1e-14 * before.abs()
        if bool(enough.all()):
            break
        length = torch.where(enough, length, length / 2)
    return length


def _objective(linear: Tensor, y: Tensor) -> Tensor:
    return (torch.nn.functional.softplus(linear, threshold=40) - y * linear).sum(dim=1)


def _conjugate_gradients(
    q: Tensor, spectrum: Tensor, curvature: Tensor, penalty: Tensor, right: Tensor
) -> Tensor:
    """Solve the Newton equations, preconditioned by the diagonal they would have if S were even."""
    mean = curvature.mean(dim=1)  # [layer, column]
    diagonal = torch.cat(
        [
            spectrum[:, :, None] * mean[:, None] + penalty[:, None],
            (mean * q.shape[1])[:, None],
        ],
        dim=1,
    )
    solution = torch.zeros_like(right)
    residual = right
    scaled = residual / diagonal
    search = scaled
    size = (residual * scaled).sum(dim=1)
    # A tight solve near the optimum keeps Newton's quadratic convergence; far away it is waste.
    goal = size * size.sqrt().clamp(max=0.1).square().clamp(min=1e-12)
    for _ in range(CONJUGATE_STEPS):
        image = _hessian(q, curvature, penalty, search)
        bend = (search * image).sum(dim=1)
        going = size > goal
        length = torch.where(going, size / torch.where(going, bend, 1.0), 0.0)
        solution = solution + length[:, None] * search
        residual = residual - length[:, None] * image
        scaled = residual / diagonal
        new_size = (residual * scaled).sum(dim=1)
        if not bool((going & (new_size > goal)).any()):
            break
        search = scaled + torch.where(going, new_size / size, 0.0)[:, None] * search
        size = torch.where(going, new_size, size)
    return solution


def _hessian(q: Tensor, curvature: Tensor, penalty: Tensor, vector: Tensor) -> Tensor:
    weighted = curvature * (q @ vector[:, :-1] + vector[:, -1:])
    return torch.cat(
        [q.mT @ weighted + penalty[:, None] * vector[:, :-1], weighted.sum(dim=1, keepdim=True)],
        dim=1,
    )
