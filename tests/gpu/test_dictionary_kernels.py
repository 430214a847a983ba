"""Triton's kernels of the sparse products against torch's, on a GPU.

TRITON_INTERPRET=1 runs them on the host, as Python, where the package triton is installed.
"""

import numpy as np
import pytest
import torch

from sonde.dictionaries import Architecture, BatchTopK, Dictionary, TopK, kernels, products
from sonde.dictionaries.places import Places

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
pytestmark = pytest.mark.skipif(
    kernels.triton_kernels() is None or not (kernels.ON_CPU or torch.cuda.is_available()),
    reason="needs a CUDA GPU with Triton, or TRITON_INTERPRET=1 and the package triton",
)
CLOSE = {torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 3e-3}


def drawn(share, dtype, rows=9, latents=13, d=300):
    rng = np.random.default_rng(0)
    mask = torch.from_numpy(rng.random((rows, latents)) < share)
    mask[:, 3] = True  # one in every row, one in none
    mask[:, 5] = False
    places = Places.of_mask(mask.to(DEVICE))

    def normal(*shape):
        return torch.from_numpy(rng.normal(size=shape)).to(DEVICE, dtype)

    return places, normal(len(places.latent)), normal(rows, d), normal(latents, d)


def assert_close(found, expected, dtype):
    assert found.dtype == dtype
    scale = float(expected.abs().max()) or 1.0
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=CLOSE[dtype] * scale)


@pytest.mark.parametrize("dtype", list(CLOSE), ids=str)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_products(share, dtype):
    places, value, x, weight = drawn(share, dtype)
    dense = places.dense(value.double())
    assert_close(products.gathered(weight, places, value), dense @ weight.double(), dtype)
    assert_close(products.scattered(x, places, value), dense.T @ x.double(), dtype)
    there = (x.double() @ weight.double().T).flatten()[places.flat]
    assert_close(products.sampled(x, weight, places), there, dtype)
    assert_close(products.summed(places, value), dense.sum(dim=0), dtype)


def test_latents_of_many_rows_are_summed_by_several_programs(monkeypatch):
    monkeypatch.setattr(kernels.triton_kernels(), "SEGMENT", 4)
    rng = np.random.default_rng(1)
    counts = (1, 4, 5, 8, 9, 0, 37)  # of 37 rows
    mask = np.stack([rng.permutation(37) < count for count in counts], axis=1)
    places = Places.of_mask(torch.from_numpy(mask).to(DEVICE))
    value = torch.from_numpy(rng.normal(size=len(places.latent))).float().to(DEVICE)
    x = torch.from_numpy(rng.normal(size=(37, 20))).float().to(DEVICE)
    expected = places.dense(value.double()).T @ x.double()
    assert_close(products.scattered(x, places, value), expected, torch.float32)


def test_nothing_active_and_no_rows():
    none = torch.zeros(0, dtype=torch.long, device=DEVICE)
    weight, value = torch.ones(4, 6, device=DEVICE), torch.zeros(0, device=DEVICE)
    for rows in (0, 3):
        places = Places(none, torch.zeros(rows + 1, dtype=torch.long, device=DEVICE), 4)
        x = torch.ones(rows, 6, device=DEVICE)
        assert products.gathered(weight, places, value).tolist() == [[0.0] * 6] * rows
        assert products.scattered(x, places, value).tolist() == [[0.0] * 6] * 4
        assert products.sampled(x, weight, places).tolist() == []


@pytest.mark.parametrize("sparsity", [TopK(k=3), BatchTopK(k=3)], ids=["topk", "batch topk"])
@pytest.mark.parametrize("groups", [(), (4, 8, 12)], ids=["flat", "Matryoshka"])
def test_a_step_is_that_of_torch_and_the_same_each_time(sparsity, groups, monkeypatch):
    made = Architecture(
        sources=("blocks.1.resid_post",), d_in=(20,), d_sae=24, sparsity=sparsity, groups=groups
    )

    def slopes():
        torch.manual_seed(0)
        one = Dictionary(made)
        with torch.no_grad():
            for parameter in one.parameters():
                parameter.copy_(torch.randn_like(parameter))
        x = torch.randn(16, 20).to(DEVICE)
        one = one.to(DEVICE)
        loss = sum((part - x).square().mean() for part in one(x).prefixes)
        loss.backward()
        return [loss.detach()] + [parameter.grad for parameter in one.parameters()]

    fast, again = slopes(), slopes()
    assert all(torch.equal(one, other) for one, other in zip(fast, again, strict=True))
    monkeypatch.setattr(products, "kernels_for", lambda one, other: None)
    for one, other in zip(fast, slopes(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
