"""The three sparse products as Triton kernels; ``products`` has them in torch, the reference.

One program sums one row of the result, some columns of it, in float32 and always in one order, so
that a step is the same bit for bit. A latent that is active in many rows is summed by several
programs, ``SEGMENT`` rows each, whose sums are then added in order.
"""

import torch
import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]
from jaxtyping import Float, Int
from torch import Tensor

from sonde.dictionaries.places import Places

COLUMNS, PLACES = 256, 8  # of one tile
SEGMENT = 256  # rows of a latent that one program sums
TYPES = (torch.float32, torch.bfloat16, torch.float16)


@triton.jit
def _sum_bags(  # noqa: PLR0913, PLR0917
    weight,
    index,
    value,
    starts,
    ends,
    more,
    more_offsets,
    out,
    width,
    HAS_MORE: tl.constexpr,
    N: tl.constexpr,
    D: tl.constexpr,
):
    """out[bag] = sum of value[i] * weight[index[i]], i from starts[bag] to ends[bag]; plus more."""
    bag = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * D + tl.arange(0, D)
    inside = column < width
    end = tl.load(ends + bag)
    total = tl.zeros((D,), dtype=tl.float32)
    for first in range(tl.load(starts + bag), end, N):
        place = first + tl.arange(0, N)
        there = place < end
        row = tl.load(index + place, mask=there, other=0).to(tl.int64)
        scale = tl.load(value + place, mask=there, other=0.0).to(tl.float32)
        tile = weight + row[:, None] * width + column[None, :]
        both = there[:, None] & inside[None, :]
        total += tl.sum(scale[:, None] * tl.load(tile, mask=both, other=0.0).to(tl.float32), axis=0)
    if HAS_MORE:
        for part in range(tl.load(more_offsets + bag), tl.load(more_offsets + bag + 1)):
            total += tl.load(more + part * width + column, mask=inside, other=0.0)
    tl.store(out + bag * width + column, total, mask=inside)


@triton.jit
def _dot_pairs(  # noqa: PLR0913, PLR0917
    g,
    weight,
    latent,
    offsets,
    out,
    width,
    N: tl.constexpr,
    D: tl.constexpr,
):
    """out[i] = g[row] . weight[latent[i]], for all places i of one row."""
    row = tl.program_id(0).to(tl.int64)
    end = tl.load(offsets + row + 1)
    for first in range(tl.load(offsets + row), end, N):
        place = first + tl.arange(0, N)
        there = place < end
        number = tl.load(latent + place, mask=there, other=0).to(tl.int64)
        total = tl.zeros((N, D), dtype=tl.float32)
        for start in range(0, width, D):
            column = start + tl.arange(0, D)
            inside = column < width
            own = tl.load(g + row * width + column, mask=inside, other=0.0).to(tl.float32)
            tile = weight + number[:, None] * width + column[None, :]
            both = there[:, None] & inside[None, :]
            total += tl.load(tile, mask=both, other=0.0).to(tl.float32) * own[None, :]
        tl.store(out + place, tl.sum(total, axis=1), mask=there)


def gathered(
    weight: Float[Tensor, "latent d"], places: Places, value: Float[Tensor, " active"]
) -> Float[Tensor, "row d"]:
    """Do as ``products.gathered``."""
    found = weight.new_empty(places.n_rows, weight.shape[1])
    bounds = (places.offsets[:-1], places.offsets[1:])
    return _summed(weight, places.latent, value, bounds, found)


def scattered(
    x: Float[Tensor, "row d"], places: Places, value: Float[Tensor, " active"]
) -> Float[Tensor, "latent d"]:
    """Do as ``products.scattered``."""
    order, row, offsets = places.by_latent
    value = value[order]
    starts, ends = offsets[:-1], offsets[1:]
    found = x.new_empty(places.n_latents, x.shape[1])
    if len(row) <= SEGMENT:
        return _summed(x, row, value, (starts, ends), found)
    more_offsets, more_bounds = _segments(offsets, len(row) // SEGMENT)
    more = x.new_empty(len(more_bounds[0]), x.shape[1], dtype=torch.float32)
    _summed(x, row, value, more_bounds, more)
    firsts = (starts, torch.minimum(ends, starts + SEGMENT))
    return _summed(x, row, value, firsts, found, (more, more_offsets))


def sampled(
    g: Float[Tensor, "row d"], weight: Float[Tensor, "latent d"], places: Places
) -> Float[Tensor, " active"]:
    """Do as ``products.sampled``."""
    found = g.new_empty(len(places.latent))
    if places.n_rows and len(found):
        given = (g.contiguous(), weight.contiguous(), places.latent, places.offsets, found)
        with torch.cuda.device_of(found):
            _dot_pairs[(places.n_rows,)](  # pyright: ignore[reportIndexIssue]
                *given, g.shape[1], N=2 * PLACES, D=COLUMNS // 2
            )
    return found


def _segments(
    offsets: Int[Tensor, " latent_and_one"], most: int
) -> tuple[Int[Tensor, " latent_and_one"], tuple[Tensor, Tensor]]:
    """Part what lies behind the first segment of each latent into segments.

    Returns where each latent's begin, and their bounds: ``most`` of them, which the host knows
    without waiting for the device, those that no latent has being empty.
    """
    counts = ((offsets.diff() - 1) // SEGMENT).clamp(min=0)
    more_offsets = torch.zeros_like(offsets)
    more_offsets[1:] = counts.cumsum(0)
    number = torch.arange(most, device=offsets.device)
    latent = torch.searchsorted(more_offsets[1:], number, right=True)
    there = latent < len(counts)
    latent = latent.clamp(max=len(counts) - 1)
    start = offsets[latent] + SEGMENT * (1 + number - more_offsets[latent])
    end = torch.minimum(start + SEGMENT, offsets[latent + 1])
    return more_offsets, (torch.where(there, start, 0), torch.where(there, end, 0))


def _summed(
    weight: Float[Tensor, "any d"],
    index: Int[Tensor, " active"],
    value: Float[Tensor, " active"],
    bounds: tuple[Int[Tensor, " bag"], Int[Tensor, " bag"]],
    out: Float[Tensor, "bag d"],
    more: tuple[Float[Tensor, "segment d"], Int[Tensor, " bag_and_one"]] | None = None,
) -> Float[Tensor, "bag d"]:
    """Fill ``out`` with the sums of bags."""
    bags, width = out.shape
    if out.numel():
        parts, offsets = (out, bounds[0]) if more is None else more
        given = (weight.contiguous(), index, value.contiguous(), *bounds, parts, offsets, out)
        with torch.cuda.device_of(out):
            _sum_bags[  # pyright: ignore[reportIndexIssue]
                (bags, triton.cdiv(width, COLUMNS))
            ](*given, width, HAS_MORE=more is not None, N=PLACES, D=COLUMNS)
    return out
