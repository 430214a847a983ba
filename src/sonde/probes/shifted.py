"""Solve (A + penalty I) w = b for several penalties, A symmetric and positive semidefinite.

Small systems are factorised in float64. Large ones are factorised in float32, which takes half the
time, and the factor serves as preconditioner of conjugate gradients in float64 with A as it is:
after three steps or so the answer is that of float64. The float32 copy of A decides how many steps
are needed, never the answer. Where they do not converge (a penalty below float32's rounding of A),
the penalty is factorised in float64 after all.

Buttari et al. (2008), "Using mixed precision for sparse matrix computations to enhance the
performance while achieving 64-bit accuracy"; Carson and Higham (2018), "Accelerating the solution
of linear systems by iterative refinement in three precisions".
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.probes.conjugate_gradients import conjugate_gradients

SMALL = 1000  # unknowns; below, the products of the steps cost what the smaller factors save
FACTOR_BYTES = 1 << 29  # of factors that are held at once
# Penalties that move no eigenvalue by more than this part of it share a factor: it costs three
# steps more.
NEAR = 0.05


@runtime_checkable
class Symmetric(Protocol):
    """A positive semidefinite matrix: as it is, in single precision, and as a product."""

    def __len__(self) -> int:
        """Count its rows."""
        ...

    def double(self) -> Float64[Tensor, "side side"]:
        """Form it; the lower triangle is enough."""
        ...

    def single(self) -> Float32[Tensor, "side side"]:
        """Form it in float32, or something near it; the lower triangle is enough."""
        ...

    def times(self, right: Float64[Tensor, "column side"]) -> Float64[Tensor, "column side"]:
        """Multiply it with columns, which lie in memory one after another."""
        ...


def solve_shifted(
    square: Symmetric, penalties: Sequence[float], right: Float64[Tensor, "column side"]
) -> Float64[Tensor, "penalty column side"]:
    """Solve (A + penalty I) w = b for every penalty and column b.

    Raises:
        SondeError: a penalty is too small for float64.
    """
    if len(square) < SMALL:
        return _direct(square, penalties, right)
    few = max(1, FACTOR_BYTES // (4 * len(square) ** 2))
    single = square.single()
    size = _bound(single)
    parts: list[Tensor] = []
    for start in range(0, len(penalties), few):
        here = penalties[start : start + few]
        factors = list(_factors(single, here, near=NEAR))
        found, converged = conjugate_gradients(square.times, size, here, factors, right)
        again = [number for number, good in enumerate(converged) if not good]
        if again:
            found[again] = _direct(square, [here[number] for number in again], right)
        parts.append(found)
    return torch.cat(parts)


def _direct(
    square: Symmetric, penalties: Sequence[float], right: Float64[Tensor, "column side"]
) -> Float64[Tensor, "penalty column side"]:
    whole = square.double()
    found: list[Tensor] = []
    for penalty, factor in zip(penalties, _factors(whole, penalties), strict=True):
        if factor is None:
            raise SondeError(
                f"A ridge penalty of {penalty:g} is too small for float64 here.",
                fix="Leave the smallest penalties out.",
            )
        found.append(torch.cholesky_solve(right.T, factor).T)
    return torch.stack(found)


def _factors(
    square: Tensor, penalties: Sequence[float], *, near: float = -1.0
) -> Iterator[Tensor | None]:
    """Yield the lower Cholesky factors of ``square + penalty I``; None where there is none.

    The last factor serves again where the penalty moved by less than ``near`` of the smallest
    eigenvalue: all penalties far below the eigenvalues have one factor.
    """
    diagonal = square.diagonal().clone()
    last, at, least = None, 0.0, 0.0
    for penalty in penalties:
        if last is None or abs(penalty - at) > near * least:
            square.diagonal().copy_(diagonal + penalty)  # a copy would take a tenth of a factor
            factor, failed = torch.linalg.cholesky_ex(square)
            last, at = (None if bool(failed) else factor), penalty
            least = _smallest(factor) if last is not None and near > 0 else 0.0
        yield last
    square.diagonal().copy_(diagonal)


def _smallest(factor: Float[Tensor, "side side"]) -> float:
    """Return about the smallest eigenvalue of what was factorised, never less, by iteration."""
    vector = torch.randn(len(factor), 1, generator=torch.Generator().manual_seed(0)).to(factor)
    length = 1.0
    for _ in range(3):
        vector = vector / vector.norm()
        vector = torch.linalg.solve_triangular(factor, vector, upper=False)
        vector = torch.linalg.solve_triangular(factor.T, vector, upper=True)
        length = float(vector.norm())
    return 1 / length


def _bound(lower: Float[Tensor, "side side"]) -> float:
    """Return a bound of the norm of the symmetric matrix whose lower triangle this has."""
    return 2**0.5 * float(lower.norm())
