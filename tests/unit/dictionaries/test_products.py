"""Sparse products against dense ones, their gradients against autograd's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.dictionaries.places import Places
from sonde.dictionaries.products import (
    cumulated,
    decoded,
    gathered,
    picked,
    sampled,
    sampled_in_chunks,
    scattered,
)


def drawn(seed, rows=7, latents=11, d=5, share=0.3, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    mask = torch.from_numpy(rng.random((rows, latents)) < share)
    places = Places.of_mask(mask)
    value = torch.from_numpy(rng.normal(size=len(places.latent))).to(dtype)
    x, g = (torch.from_numpy(rng.normal(size=(rows, d))).to(dtype) for _ in range(2))
    weight = torch.from_numpy(rng.normal(size=(latents, d))).to(dtype)
    return places, value, x, g, weight


def test_by_hand():
    """Row 0 has latent 1 at 2, row 1 none, row 2 latents 0 and 2 at 3 and -1."""
    places = Places(torch.tensor([1, 0, 2]), torch.tensor([0, 1, 1, 3]), 3)
    value = torch.tensor([2.0, 3.0, -1.0])
    weight = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    x = torch.tensor([[1.0, 2.0], [5.0, 5.0], [0.0, 1.0]])
    assert gathered(weight, places, value).tolist() == [[0, 2], [0, 0], [2, -1]]
    assert scattered(x, places, value).tolist() == [[0, 3], [2, 4], [0, -1]]
    assert sampled(x, weight, places).tolist() == [2, 0, 1]
    assert places.dense(value).tolist() == [[0, 2, 0], [0, 0, 0], [3, 0, -1]]
    assert places.row.tolist() == [0, 2, 2]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.05, 0.4, 1.0]))
def test_products_are_those_of_the_dense_matrix(seed, share):
    places, value, x, g, weight = drawn(seed, share=share)
    dense = places.dense(value)
    torch.testing.assert_close(gathered(weight, places, value), dense @ weight)
    torch.testing.assert_close(scattered(x, places, value), dense.T @ x)
    there = (g @ weight.T).flatten()[places.flat]
    torch.testing.assert_close(sampled(g, weight, places), there)
    torch.testing.assert_close(sampled_in_chunks(g, weight, places), there)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_gradients_are_those_of_the_dense_matrix(seed):
    places, _, x, g, weight = drawn(seed)
    bias = torch.linspace(-1, 1, 11, dtype=torch.float64)
    decoder = torch.flip(weight, dims=(0, 1)).clone()
    leaves = [one.clone().requires_grad_() for one in (x, weight, bias, decoder)]
    own, encoder, offset, decoding = leaves
    pre = (own @ encoder.T + offset).flatten()[places.flat]
    (places.dense(pre) @ decoding * g).sum().backward()
    expected = [one.grad for one in leaves]
    mine = [one.clone().requires_grad_() for one in (x, weight, bias, decoder)]
    value = picked(*mine[:3], pre.detach(), places)
    (decoded(mine[3], places, value) * g).sum().backward()
    for one, other in zip(mine, expected, strict=True):
        torch.testing.assert_close(one.grad, other)


@pytest.mark.parametrize("groups", [(11,), (3, 8), (2, 4, 5), (1, 9, 1)])
def test_groups_part_the_places(groups):
    places, value, _, _, weight = drawn(3)
    parted, order = places.grouped(groups)
    bags = gathered(weight, parted, value[order]).view(len(groups), places.n_rows, -1)
    dense = places.dense(value).split(groups, dim=1)
    for bag, own, rows in zip(bags, dense, weight.split(groups), strict=True):
        torch.testing.assert_close(bag, own @ rows)


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(0, 3))
def test_sums_so_far_and_their_gradients_are_those_of_cumsum(parts, rows):
    x = torch.randn(parts, rows, 2, dtype=torch.float64, requires_grad=True)
    slope = torch.randn(parts, rows, 2, dtype=torch.float64)
    ours, theirs = cumulated(x), x.cumsum(dim=0)
    assert torch.allclose(ours, theirs)
    along = (torch.autograd.grad(one, x, slope)[0] for one in (ours, theirs))
    assert torch.allclose(*along)


def test_sums_so_far_of_bfloat16_are_in_float32_and_their_slopes_are_not():
    x = torch.randn(16, 3, 2, dtype=torch.bfloat16, requires_grad=True)
    found = cumulated(x)
    assert torch.allclose(found, x.float().cumsum(dim=0))
    assert torch.autograd.grad(found.sum(), x)[0].dtype is torch.bfloat16


def test_sums_so_far_by_hand():
    found = cumulated(torch.tensor([[[1.0, 2.0]], [[10.0, 20.0]], [[100.0, 200.0]]]))
    assert found.tolist() == [[[1, 2]], [[11, 22]], [[111, 222]]]


def test_bfloat16_goes_by_chunks():
    places, _, _, g, weight = drawn(0, dtype=torch.bfloat16)
    found = sampled(g, weight, places).float()
    there = (g.float() @ weight.float().T).flatten()[places.flat]
    torch.testing.assert_close(found, there, rtol=0.02, atol=0.05)


def test_the_backward_pass_keeps_nothing_of_rows_times_latents():
    """Everything saved for the gradient grows with active latents, rows or weights alone."""
    rows, latents, d, k = 64, 4096, 8, 4
    latent = torch.randint(0, latents, (rows, k)).sort(dim=1).values
    places = Places.of_topk(latent, latents)
    x = torch.randn(rows, d)
    encoder, decoder = (torch.randn(latents, d, requires_grad=True) for _ in range(2))
    bias = torch.zeros(latents, requires_grad=True)
    sizes: list[int] = []

    def keep(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value = picked(x, encoder, bias, torch.randn(rows * k), places)
        decoded(decoder, places, value).sum().backward()
    assert max(sizes) <= latents * d < rows * latents
