"""Penalised Bradley-Terry fits on activations, many at once, by Newton's method.

Minimises, for each column (a pair of a penalty and a repetition of the labels),

    F = sum_pairs [a log(1 + exp(-f)) + b log(1 + exp(f))] + penalty / 2 |w|^2,

with f = w . (z_low - z_high), and a and b what spoke for either item. The optimum lies in the span
of the items, w = z'alpha, so the unknowns are alpha and all that is read of z is the kernel
K = zz': nothing of the size of pairs times coordinates is formed. With A the sparse incidence of
pairs and items and H the pairs' curvatures, a Newton step solves

    (A'HA K + penalty I) step = -(A'(dF/df) + penalty alpha),

whose matrix is symmetric in the inner product x'Ky, so conjugate gradients need one product with K
an iteration. A'HA is nearly a multiple c of the identity, as each item meets many others; the
preconditioner is ``c K + penalty I`` in the leading axes of K, a common value beyond.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.probes.kernel import Kernel
from sonde.probes.pair_table import Incidence

NEWTON_STEPS = 100
CONJUGATE_STEPS = 2000
HALVINGS = 40
ROUNDING = 1e-13  # of the objective, in float64; products in float32 round more


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Fits to make on the same rows.

    ``at`` is the row that each item lies at in a column: a shuffle puts items at others' rows.
    """

    kernel: Kernel
    pairs: Incidence
    won: Float[Tensor, "pair 1"]  # a: what spoke for the low item
    met: Float[Tensor, "pair 1"]  # a + b
    at: Int[Tensor, "column row"]
    penalty: Float[Tensor, "column 1"]

    def some(self, columns: Tensor) -> "Columns":
        """Keep some columns."""
        if bool(columns.all()):
            return self
        kept = self.at[columns], self.penalty[columns]
        return Columns(self.kernel, self.pairs, self.won, self.met, *kept)

    def differences(self, u: Float[Tensor, "column row"]) -> Float[Tensor, "pair column"]:
        """Return the difference of the utilities of two items, pair by pair."""
        return self.pairs.differences(u.gather(1, self.at).mT.contiguous())

    def back(self, pairs: Float[Tensor, "pair column"]) -> Float[Tensor, "column row"]:
        """Return the transpose of ``differences``: from pairs to the rows of their items."""
        items = self.pairs.sums(pairs).mT.contiguous()
        return torch.empty_like(items).scatter_(1, self.at, items)

    def loss(self, f: Float[Tensor, "pair column"]) -> Float[Tensor, "column 1"]:
        """Return the log-loss of each column, met softplus(f) - won f."""
        # softplus of -|f| loses no digits where a pair is certain.
        certain = torch.nn.functional.softplus(-f.abs(), threshold=40)
        return (self.met * (certain + f.clamp(min=0)) - self.won * f).sum(dim=0)[:, None]

    @property
    def nothing(self) -> Float[Tensor, ""]:
        """The objective of equal utilities, by which tolerances are measured."""
        return self.met.sum() * torch.log(torch.tensor(2.0, dtype=self.met.dtype))


def fit_bradley_terry(
    columns: Columns, tolerance: Float[Tensor, "column 1"]
) -> tuple[Float[Tensor, "column row"], bool]:
    """Return alpha of every column, and whether all reached their tolerance.

    A fit ends when half the Newton decrement, which near the optimum is the distance to it, is
    below a share ``tolerance`` of the objective of equal utilities; the step is still taken.
    """
    alpha = columns.met.new_zeros(columns.at.shape)
    u = torch.zeros_like(alpha)
    active = torch.ones(len(alpha), dtype=torch.bool, device=alpha.device)
    for _ in range(NEWTON_STEPS):
        if not bool(active.any()):
            break
        part = columns.some(active)
        alpha[active], u[active], done = _step(part, alpha[active], u[active], tolerance[active])
        active[active.clone()] = ~done
    return alpha, not bool(active.any())


def _step(
    columns: Columns, alpha: Tensor, u: Tensor, tolerance: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Move every fit by one Newton step; say which were at their optimum."""
    f = columns.differences(u)
    chance = torch.sigmoid(f)
    down = -columns.back(columns.met * chance - columns.won) - columns.penalty * alpha
    curvature = columns.met * (chance * (1 - chance)).clamp(min=1e-12)
    step, moved = _conjugate_gradients(columns, curvature, down)
    decrement = _dot(down, moved)
    length = _line_search(columns, (alpha, u, f), (step, moved), decrement)
    done = decrement <= 2 * tolerance * columns.nothing
    return alpha + length * step, u + length * moved, done[:, 0]


def _line_search(
    columns: Columns,
    point: tuple[Tensor, Tensor, Tensor],
    step: tuple[Tensor, Tensor],
    decrement: Tensor,
) -> Float[Tensor, "column 1"]:
    """Halve each fit's step until the objective falls enough (Armijo's rule)."""
    alpha, u, f = point
    along = columns.differences(step[1])
    # |w|^2 = alpha'K alpha along the step is a parabola.
    sizes = _dot(alpha, u), 2 * _dot(alpha, step[1]), _dot(step[0], step[1])
    before = columns.loss(f) + columns.penalty / 2 * sizes[0]
    length = torch.ones_like(before)
    for _ in range(HALVINGS):
        size = sizes[0] + length * sizes[1] + length.square() * sizes[2]
        now = columns.loss(f + length.mT * along) + columns.penalty / 2 * size
        # Near the optimum the fall is smaller than the rounding of the objective.
        enough = now <= before - 1e-4 * length * decrement + ROUNDING * before.abs()
        if bool(enough.all()):
            break
        length = torch.where(enough, length, length / 2)
    return length


def _conjugate_gradients(
    columns: Columns, curvature: Tensor, right: Tensor
) -> tuple[Float[Tensor, "column row"], Float[Tensor, "column row"]]:
    """Solve the Newton equations, the closer to the optimum the more exactly; also K times that.

    The axes of K are not exact, so the flexible form is used (Notay 2000).
    """
    kernel, penalty = columns.kernel, columns.penalty
    # A pair puts its curvature on the diagonal of A'HA twice.
    c = 2 * curvature.sum(dim=0)[:, None] / right.shape[1]
    residual = right
    search = kernel.nearly_solved(residual, c, penalty)
    seen = kernel.times(search)
    solution, moved = torch.zeros_like(right), torch.zeros_like(right)
    size = _dot(residual, seen)
    # What lies outside of K's range stays in the residual; of it rounding leaves this much in size.
    noise = right.shape[1] * torch.finfo(kernel.z.dtype).eps ** 2 * _dot(right, right) / c
    goal = torch.maximum(size * (size / columns.nothing).clamp(1e-12, 0.03), noise)
    for _ in range(CONJUGATE_STEPS):
        image = columns.back(curvature * columns.differences(seen)) + penalty * search
        going = size > goal
        length = torch.where(going, size / torch.where(going, _dot(image, seen), 1.0), 0.0)
        solution, moved = solution + length * search, moved + length * seen
        residual = residual - length * image
        scaled = kernel.nearly_solved(residual, c, penalty)
        scaled_seen = kernel.times(scaled)
        new_size = _dot(residual, scaled_seen)
        if not bool((going & (new_size > goal)).any()):
            break
        turn = torch.where(going, -length * _dot(image, scaled_seen) / size, 0.0)
        search, seen = scaled + turn * search, scaled_seen + turn * seen
        size = torch.where(going, new_size, size)
    return solution, moved


def _dot(a: Tensor, b: Tensor) -> Float[Tensor, "column 1"]:
    return (a * b).sum(dim=1, keepdim=True)
