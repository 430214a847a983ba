"""Products with sparse latents that touch only what is active: for training and decoding.

Three products carry all of it; V is sparse, its places known:

    gathered   V @ weight            rows from latents (decoding)
    scattered  V.T @ x               latents from rows (gradients of weights)
    sampled    (g @ weight.T) at V's places (gradients of values)

Here they are of torch's own operations, on any device; on a GPU with Triton its kernels take their
place (``triton_products``), with these as the reference. Their cost and memory grow with the number
of active latents, not with rows x latents.
"""

import warnings
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import embedding_bag

from sonde.dictionaries.kernels import kernels_for
from sonde.dictionaries.places import Places

CHUNK = 1 << 22  # numbers gathered at a time where torch has no sampled product


def gathered(
    weight: Float[Tensor, "latent d"], places: Places, value: Float[Tensor, " active"]
) -> Float[Tensor, "row d"]:
    """Return the sum over each row's active latents of value times weight."""
    kernels = kernels_for(weight, value)
    if kernels is not None:
        return kernels.gathered(weight, places, value)
    return embedding_bag(
        places.latent,
        weight,
        places.offsets,
        mode="sum",
        per_sample_weights=value.to(weight),
        include_last_offset=True,
    )


def scattered(
    x: Float[Tensor, "row d"], places: Places, value: Float[Tensor, " active"]
) -> Float[Tensor, "latent d"]:
    """Return the sum over each latent's rows of value times x."""
    kernels = kernels_for(x, value)
    if kernels is not None:
        return kernels.scattered(x, places, value)
    order, row, offsets = places.by_latent
    weights = value.to(x)[order]
    return embedding_bag(
        row, x, offsets, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


def sampled(
    g: Float[Tensor, "row d"], weight: Float[Tensor, "latent d"], places: Places
) -> Float[Tensor, " active"]:
    """Return the dot products of rows of g and rows of weight at the active places."""
    kernels = kernels_for(g, weight)
    if kernels is not None:
        return kernels.sampled(g, weight, places)
    if not len(places.latent):
        return g.new_zeros(0)
    exact = g.dtype in (torch.float32, torch.float64)
    if not exact or not (g.is_cuda or torch.backends.mkl.is_available()):
        return sampled_in_chunks(g, weight, places)
    with warnings.catch_warnings(), torch.sparse.check_sparse_tensor_invariants(enable=False):
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        zeros = torch.sparse_csr_tensor(
            places.offsets,
            places.latent,
            g.new_zeros(len(places.latent)),
            size=(places.n_rows, places.n_latents),
        )
        return torch.sparse.sampled_addmm(zeros, g, weight.T, beta=0).values()


def summed(places: Places, value: Float[Tensor, " active"]) -> Float[Tensor, " latent"]:
    """Return the sum over each latent's rows of value, always in one order."""
    if not value.is_cuda:
        return value.new_zeros(places.n_latents).index_add_(0, places.latent, value)
    order, _, offsets = places.by_latent  # a GPU adds in any order
    found = torch.segment_reduce(value[order].float(), "sum", offsets=offsets, initial=0.0)
    return found.to(value.dtype)


def sampled_in_chunks(
    g: Float[Tensor, "row d"], weight: Float[Tensor, "latent d"], places: Places
) -> Float[Tensor, " active"]:
    """Do as ``sampled`` for any type and build of torch: gather some pairs, multiply, sum."""
    size = max(1, CHUNK // max(1, g.shape[1]))
    pieces = zip(places.row.split(size), places.latent.split(size), strict=True)
    return torch.cat([torch.linalg.vecdot(g[row], weight[latent]) for row, latent in pieces])


class _Cumulated(torch.autograd.Function):
    """Sums so far over the first dimension, one addition of everything behind it at a time.

    ``cumsum`` goes through the first dimension number by number, which is slow where it is short.
    """

    @staticmethod
    def forward(ctx, parts):
        ctx.type = parts.dtype
        return _sums_so_far(parts, range(len(parts)))

    @staticmethod
    def backward(ctx, slope):
        return _sums_so_far(slope, reversed(range(len(slope)))).to(ctx.type)


def _sums_so_far(parts: Tensor, order: Iterable[int]) -> Tensor:
    found = torch.empty_like(parts, dtype=torch.promote_types(parts.dtype, torch.float32))
    before = None
    for number in order:
        if before is None:
            found[number] = parts[number]
        else:
            torch.add(parts[number], before, out=found[number])
        before = found[number]
    return found


class _Picked(torch.autograd.Function):
    """Values of ``x @ weight.T + bias`` at places, with the gradient of these alone."""

    @staticmethod
    def forward(ctx, x, weight, bias, value, places):
        ctx.save_for_backward(x, weight)
        ctx.places = places
        return value.clone()

    @staticmethod
    def backward(ctx, slope):
        x, weight = ctx.saved_tensors
        places, wanted = ctx.places, ctx.needs_input_grad
        along_x = gathered(weight, places, slope) if wanted[0] else None
        along_weight = scattered(x, places, slope).to(weight) if wanted[1] else None
        along_bias = summed(places, slope) if wanted[2] else None
        return along_x, along_weight, along_bias, None, None


class _Decoded(torch.autograd.Function):
    """``gathered`` with gradients of the values and of the active rows of the weight."""

    @staticmethod
    def forward(ctx, weight, value, places):
        ctx.save_for_backward(weight, value)
        ctx.places = places
        return gathered(weight, places, value)

    @staticmethod
    def backward(ctx, slope):
        weight, value = ctx.saved_tensors
        slope = slope.contiguous()
        along_weight = scattered(slope, ctx.places, value) if ctx.needs_input_grad[0] else None
        along_value = sampled(slope, weight, ctx.places) if ctx.needs_input_grad[1] else None
        return along_weight, along_value, None


def picked(
    x: Float[Tensor, "row d"],
    weight: Float[Tensor, "latent d"],
    bias: Float[Tensor, " latent"],
    value: Float[Tensor, " active"],
    places: Places,
) -> Float[Tensor, " active"]:
    """Return ``value``, computed before as ``x @ weight.T + bias`` at the places, with gradients.

    Gradients reach x, the weight and the bias through these places alone, and all of them: also
    those of latents that an auxiliary loss picked.
    """
    return _Picked.apply(x, weight, bias, value.detach(), places)  # pyright: ignore


def cumulated(parts: Float[Tensor, "part row d"]) -> Float[Tensor, "part row d"]:
    """Return the sum of the first parts, for each number of them, in float32 at least."""
    return _Cumulated.apply(parts)  # pyright: ignore


def decoded(
    weight: Float[Tensor, "latent d"], places: Places, value: Float[Tensor, " active"]
) -> Float[Tensor, "row d"]:
    """Return the sum over each row's active latents of value times weight, with gradients."""
    return _Decoded.apply(weight, value, places)  # pyright: ignore
