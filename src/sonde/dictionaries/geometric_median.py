"""The geometric median: the point with the least sum of distances, which outliers hardly move."""

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.core.errors import SondeError

STEPS = 1_000
TOLERANCE = 1e-6  # of the mean distance


def geometric_median(x: Float[Tensor, "row d"]) -> Float[Tensor, "d"]:
    """Return the point m with the least sum of |x_i - m|, in float64 inside.

    Weiszfeld's steps m = sum x_i / |x_i - m| over sum 1 / |x_i - m|, as Vardi and Zhang (2000)
    mend them for an m that is one of the points.

    Raises:
        SondeError: there are no rows, or one is not finite.
    """
    if not len(x) or not bool(x.isfinite().all()):
        raise SondeError(
            f"A geometric median was asked for of {len(x)} rows"
            f"{'' if not len(x) else ', some of which are not finite'}.",
            fix="Give at least one row, of numbers.",
        )
    points = x.double()
    found = points.mean(dim=0)
    for _ in range(STEPS):
        distance = (points - found).norm(dim=1)
        apart = distance > 0
        if not bool(apart.any()):
            break
        weight = torch.where(apart, 1 / distance.clamp(min=1e-300), 0.0)
        towards = (weight[:, None] * points).sum(dim=0) / weight.sum()
        here = (~apart).sum()  # rows that lie at the point itself hold it back
        pull = (weight[:, None] * (points - found)).sum(dim=0).norm()
        held = (here / pull).clamp(max=1) if pull > 0 else torch.ones_like(pull)
        moved = (1 - held) * towards + held * found
        step, found = (moved - found).norm(), moved
        if step <= TOLERANCE * distance.mean():
            break
    return found.to(x)
