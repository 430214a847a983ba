"""Formulas of reconstruction by hand, what they are blind to, and what is logged of a batch."""

import pytest
import torch
from hypothesis import given
from hypothesis.strategies import floats
from torch.testing import assert_close

from sonde.dictionaries import Architecture, Dictionary, ReLU, TopK
from sonde.dictionaries.metrics import (
    fvu,
    mean_cosine,
    metrics_of_batch,
    norm_ratio,
    reconstruction_bias,
    variance_explained,
)


def planted(n=40, width=6, seed=0):
    """Rows, and reconstructions with an error of about half their size."""
    torch.manual_seed(seed)
    y = torch.randn(n, width, dtype=torch.float64)
    return y, 0.8 * y + 0.5 * torch.randn(n, width, dtype=torch.float64)


def test_by_hand():
    """Two rows, (3, 4) and (3, 0), of which (3, 2) and (0, 0) are made; the mean is (3, 2)."""
    y, made = torch.tensor([[3.0, 4.0], [3.0, 0.0]]), torch.tensor([[3.0, 2.0], [0.0, 0.0]])
    assert_close(fvu(y, made), torch.tensor((4.0 + 9.0) / (4.0 + 4.0)))
    assert_close(variance_explained(y, made), torch.tensor(1 - 13 / 8))
    assert_close(norm_ratio(y, made), torch.tensor(13**0.5 / (5 + 3)))
    assert_close(reconstruction_bias(y, made), torch.tensor(13.0 / 17.0))
    assert_close(mean_cosine(y, made), torch.tensor((17 / (5 * 13**0.5) + 0) / 2))


@given(scale=floats(0.01, 100), shift=floats(-10, 10))
def test_variance_explained_ignores_units_and_origin(scale, shift):
    y, made = planted()
    assert_close(fvu(scale * y + shift, scale * made + shift), fvu(y, made))


@given(scale=floats(0.01, 100))
def test_ratios_and_cosines_ignore_units(scale):
    y, made = planted()
    for metric in (norm_ratio, reconstruction_bias, mean_cosine):
        assert_close(metric(scale * y, scale * made), metric(y, made))


@given(shrunk=floats(0.1, 2))
def test_what_is_shrunk_has_that_norm_ratio_and_bias(shrunk):
    y, _ = planted()
    assert norm_ratio(y, shrunk * y).item() == pytest.approx(shrunk)
    assert reconstruction_bias(y, shrunk * y).item() == pytest.approx(shrunk)


def test_bias_is_the_scale_with_the_least_error():
    y, made = planted()
    best = reconstruction_bias(y, made)
    for other in (0.98 * best, 1.02 * best):
        assert (made / best - y).square().sum() < (made / other - y).square().sum()


def test_half_precision_is_summed_in_single():
    y, made = planted(n=4000)
    low = fvu(300 * y.half(), 300 * made.half())
    assert low.dtype == torch.float32
    assert low.item() == pytest.approx(fvu(y, made).item(), rel=1e-3)


def made_dictionary(sparsity, **more):
    torch.manual_seed(1)
    given = {"sources": ("blocks.0.resid_post",), "d_in": (6,), "d_sae": 8, "sparsity": sparsity}
    dictionary = Dictionary(Architecture(**{**given, **more}))
    with torch.no_grad():
        for parameter in dictionary.parameters():
            parameter.normal_()
    return dictionary


@pytest.mark.parametrize("sparsity", [TopK(k=3), ReLU()])
def test_a_batch_of_training(sparsity):
    dictionary = made_dictionary(sparsity)
    x = torch.randn(20, 6)
    found = metrics_of_batch(made := dictionary(x), [x])
    dense = made.latents[0].dense().detach()
    assert found["fvu"] == pytest.approx(fvu(x, made.targets[0]).item())
    assert found["variance_explained"] == pytest.approx(1 - found["fvu"])
    assert found["l0"] == pytest.approx((dense != 0).sum(1).float().mean().item())
    assert found["l1"] == pytest.approx(dense.abs().sum(1).mean().item())
    often = (dense != 0).sum(0) > 2
    assert found["dense"] == pytest.approx(often.float().mean().item())
    assert found["active"] == pytest.approx((dense != 0).any(0).float().mean().item())
    assert set(found) == {
        "fvu", "variance_explained", "cosine", "norm_ratio", "reconstruction_bias", "l0", "l1",
        "active", "dense",
    }  # fmt: skip


def test_each_target_and_each_prefix_has_its_own():
    sources = ("blocks.0.resid_post", "blocks.1.resid_post")
    dictionary = made_dictionary(TopK(k=3), sources=sources, d_in=(6, 4), groups=(2, 6))
    x = [torch.randn(20, 6), torch.randn(20, 4)]
    made = dictionary(*x)
    found = metrics_of_batch(made, x, sources)
    each = [fvu(one, part).item() for one, part in zip(x, made.targets, strict=True)]
    assert [found[f"fvu/{name}"] for name in sources] == pytest.approx(each)
    assert found["fvu"] == pytest.approx(sum(each) / 2)
    assert found["fvu_prefix_2"] == pytest.approx(found["fvu"])
    first = [fvu(one, part[0]).item() for one, part in zip(x, made.prefixes, strict=True)]
    assert found["fvu_prefix_1"] == pytest.approx(sum(first) / 2)
