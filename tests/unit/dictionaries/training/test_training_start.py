"""Scales, variances and centres of the first rows, and where weights start."""

from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.activations.row_batches import TensorRows
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import Architecture, Dictionary, Gated, TopK
from sonde.dictionaries.folding import folded, rescaled, without_norms
from sonde.dictionaries.geometric_median import geometric_median
from sonde.dictionaries.initialise import SHORT, initialise
from sonde.dictionaries.training.start import start_of

HOOK = parse_hook_point("blocks.0.resid_post")


def test_scales_bring_the_mean_norm_to_the_root_of_the_width():
    x = 3 + 7 * torch.randn(500, 9, generator=torch.Generator().manual_seed(0))
    source = TensorRows({HOOK: x}, batch=500)
    found = start_of(source, "mean")
    scaled = found.scaled({HOOK: x})[HOOK]
    assert scaled.norm(dim=1).mean().item() == pytest.approx(3.0)
    assert found.variance[HOOK] == pytest.approx(scaled.var(dim=0, correction=0).sum().item())
    assert torch.allclose(found.centre[HOOK], scaled.mean(dim=0), atol=1e-5)
    median = start_of(source, "geometric_median").centre[HOOK]
    assert torch.allclose(median, geometric_median(scaled), atol=1e-5)
    assert not start_of(source, "zero").centre[HOOK].any()


def test_the_start_is_of_the_first_rows_of_any_source():
    """Not of batches, which cost passes that training makes again."""
    x = torch.randn(300, 6, generator=torch.Generator().manual_seed(2)) + 1
    whole = TensorRows({HOOK: x}, batch=7, epochs=3)
    assert torch.equal(whole.first_rows(50).token, torch.cat(
        [one.token for one in islice(whole.batches(), 8)])[:50])  # fmt: skip
    assert sorted(whole.first_rows().token.tolist()) == list(range(300))

    class WithoutBatches(TensorRows):
        def batches(self, start=0):
            raise AssertionError

    found = start_of(WithoutBatches({HOOK: x}, batch=7), "mean")
    assert found.scale[HOOK] == pytest.approx(6**0.5 / x.norm(dim=1).mean().item())
    assert torch.allclose(found.first[HOOK], x[whole.first_rows().token] * found.scale[HOOK])


def architecture(sparsity, *, transcoder=False):
    return Architecture(
        sources=("blocks.0.resid_mid",), targets=("blocks.0.mlp_out",) if transcoder else (),
        d_in=(5,), d_out=(4,) if transcoder else (), d_sae=12, sparsity=sparsity,
    )  # fmt: skip


def test_an_sae_begins_with_its_encoder_as_the_decoders_transpose():
    centre = torch.arange(5.0)
    one = initialise(Dictionary(architecture(TopK(k=2))), 7, [centre])
    block = one.parts[0]
    assert torch.allclose(block.encoder, SHORT * block.decoder)
    assert torch.allclose(block.decoder.norm(dim=1), torch.ones(12))
    assert torch.equal(one.bias[0], centre)
    again = initialise(Dictionary(architecture(TopK(k=2))), 7)
    other = initialise(Dictionary(architecture(TopK(k=2))), 8)
    assert torch.equal(again.parts[0].decoder, block.decoder)
    assert not torch.equal(other.parts[0].decoder, block.decoder)


def test_a_transcoder_begins_with_little_more_than_its_bias():
    one = initialise(Dictionary(architecture(TopK(k=2), transcoder=True)), 0, [torch.ones(4)])
    x = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        made = one(x).targets[0] - 1
    assert 0 < made.norm(dim=1).mean() < 0.6


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.sampled_from([TopK(k=3), Gated()]))
def test_activations_of_another_size_make_the_same_targets(seed, factor, sparsity):
    one = random(architecture(sparsity), seed)
    x = torch.randn(9, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with torch.no_grad():
        a, b = one(x), rescaled(one, factor)(x)
    assert torch.allclose(factor * a.latents[0].dense(), b.latents[0].dense())
    assert torch.allclose(a.targets[0], b.targets[0])


@pytest.mark.parametrize("relu", [True, False])
def test_norms_that_choose_latents_go_into_the_encoder(relu):
    one = random(architecture(TopK(k=3, relu=relu, by_norm=True)), 3)
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain = without_norms(one)
    assert not plain.architecture.sparsity.by_norm
    with torch.no_grad():
        a, b = one(x), plain(x)
    assert torch.equal(a.latents[0].active(), b.latents[0].active())
    assert torch.allclose(a.targets[0], b.targets[0])
    # Now scales fold in as for any other.
    with torch.no_grad():
        assert torch.allclose(folded(plain, [2.0])(x / 2).targets[0] * 2, a.targets[0])


def random(made, seed):
    generator = torch.Generator().manual_seed(seed)
    found = Dictionary(made).double()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return found
