"""Preconditioned conjugate gradients, in float64, for many penalties and columns at once."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float32, Float64, Int
from torch import Tensor

from sonde.probes.solver import EPS

STEPS = 40  # beyond which a factor in float64 is cheaper
SLACK = 4  # how many roundings of A x a residual may be


def conjugate_gradients(
    times: Callable[[Float64[Tensor, "column side"]], Float64[Tensor, "column side"]],
    norm: float,
    penalties: Sequence[float],
    factors: Sequence[Float32[Tensor, "side side"] | None],
    right: Float64[Tensor, "column side"],
) -> tuple[Float64[Tensor, "penalty column side"], list[bool]]:
    """Solve (A + penalty I) x = b, ``times`` being A x and ``norm`` a bound of |A|.

    ``factors`` are lower Cholesky factors of something near A + penalty I, None where there is
    none. A column is done when its residual is what rounding leaves of an exact answer,
    ``|b - (A + penalty I) x| <= 4 eps (|A| |x| + |b|)``, which a factorisation in float64 keeps as
    well. The second value says for which penalties all columns are. The recurrence is the flexible
    one of Notay (2000, "Flexible conjugate gradients"): rounding makes the factors' solutions not
    quite symmetric.
    """
    width = len(right)
    known = torch.tensor([factor is not None for factor in factors], device=right.device)
    shift = torch.tensor(list(penalties), dtype=right.dtype, device=right.device)
    x = right.new_zeros(len(factors) * width, right.shape[1])
    wanted = known.repeat_interleave(width) & (right != 0).any(dim=1).repeat(len(factors))
    left = wanted.nonzero()[:, 0]  # the columns still to be solved
    residual = right[left % width]
    bound = residual.norm(dim=1)
    before = along = torch.zeros_like(residual)
    slope = torch.ones_like(bound)
    for _ in range(STEPS):
        if not len(left):
            break
        near = _solved(factors, left // width, residual)
        turn = torch.einsum("cs,cs->c", residual - before, near) / slope
        slope = torch.einsum("cs,cs->c", residual, near)
        along = near + turn[:, None] * along
        image = times(along) + shift[left // width, None] * along
        length = slope / torch.einsum("cs,cs->c", along, image)
        x[left] = x[left] + length[:, None] * along
        before, residual = residual, residual - length[:, None] * image
        done = residual.norm(dim=1) <= SLACK * EPS * (norm * x[left].norm(dim=1) + bound)
        go = (~done).nonzero()[:, 0]
        left, residual, before, along = left[go], residual[go], before[go], along[go]
        slope, bound = slope[go], bound[go]
    known[left // width] = False
    return x.unflatten(0, (len(factors), width)), known.tolist()


def _solved(
    factors: Sequence[Float32[Tensor, "side side"] | None],
    which: Int[Tensor, " column"],
    right: Float64[Tensor, "column side"],
) -> Float64[Tensor, "column side"]:
    """Solve each column with its own penalty's factor; columns of one penalty are neighbours."""
    parts: list[Tensor] = []
    numbers, sizes = torch.unique_consecutive(which, return_counts=True)
    for number, columns in zip(numbers.tolist(), right.split(sizes.tolist()), strict=True):
        factor = factors[number]
        assert factor is not None
        unit = columns.norm(dim=1, keepdim=True)  # float32 has no room for residuals of any size
        half = torch.linalg.solve_triangular(
            factor, (columns / unit).T.to(factor.dtype), upper=False
        )
        whole = torch.linalg.solve_triangular(factor.T, half, upper=True)
        parts.append(whole.T.to(right.dtype) * unit)
    return torch.cat(parts)
