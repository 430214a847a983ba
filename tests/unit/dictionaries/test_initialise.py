"""Decoders that begin along what their latents go with."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.dictionaries import BatchTopK, Gated, JumpReLU, ReLU, TopK
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.initialise import initialise, turn_decoders

KINDS = [TopK(k=2), BatchTopK(k=2), JumpReLU(), Gated(), ReLU()]
LAYERS = ("blocks.0.resid_mid", "blocks.1.resid_mid")
OUT = ("blocks.0.mlp_out", "blocks.1.mlp_out")


def transcoder(sparsity, d_sae=12):
    made = Architecture(
        sources=LAYERS[:1], targets=OUT[:1], d_in=(4,), d_out=(3,), d_sae=d_sae, sparsity=sparsity
    )
    return initialise(Dictionary(made), 0)


def test_by_hand():
    """Latent 0 fires at 2 where the target is (3, 0, 0), and at 1 where it is (0, 6, 0)."""
    one = transcoder(TopK(k=1), d_sae=2)
    before = one.parts[0].decoder[1].clone()
    with torch.no_grad():
        one.parts[0].encoder.copy_(torch.tensor([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]]))
    x = torch.tensor([[2.0, 0, 0, 0], [1.0, 0, 0, 0]])
    y = torch.tensor([[4.0, 1.0, 1.0], [2.0, 5.0, 1.0]])  # less their mean: ±(1, -2, 0)
    turn_decoders(one, [x], [y])
    assert one.parts[0].decoder[0].tolist() == pytest.approx([5**-0.5, -2 * 5**-0.5, 0])
    assert torch.equal(one.parts[0].decoder[1], before)  # silent latents stay


@pytest.mark.parametrize("sparsity", KINDS, ids=lambda one: one.kind)
@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_rows_are_the_first_gradient_from_a_decoder_of_zeros(sparsity, seed):
    one = transcoder(sparsity)
    made = torch.Generator().manual_seed(seed)
    x, y = (3 * torch.randn(300, width, generator=made) for width in (4, 3))
    block = one.parts[0]
    if not isinstance(sparsity, BatchTopK):  # which chooses among all rows that it is given
        with torch.no_grad():
            values = one.eval().encode([x])[0].dense()
        zeros = torch.zeros_like(block.decoder, requires_grad=True)
        loss = (values @ zeros - (y - y.mean(dim=0))).square().sum()
        slope = -torch.autograd.grad(loss, zeros)[0]
        fires = values.abs().sum(dim=0) > 0
        turn_decoders(one, [x], [y])
        cosine = torch.cosine_similarity(block.decoder, slope, dim=1)
        assert torch.allclose(cosine[fires], torch.tensor(1.0), atol=1e-4)
    turn_decoders(one, [x], [y])
    assert torch.allclose(block.decoder.norm(dim=1), torch.tensor(1.0), atol=1e-5)
    if isinstance(sparsity, BatchTopK):
        assert bool(block.threshold.isnan())  # choosing has left no trace


def test_of_several_targets_each_layer_takes_its_own():
    made = Architecture(
        sources=LAYERS, targets=OUT, d_in=(4, 4), d_out=(3, 3), d_sae=6,
        cross_layer=True, sparsity=TopK(k=6, relu=False),
    )  # fmt: skip
    one = initialise(Dictionary(made), 0)
    x = [torch.randn(50, 4) for _ in LAYERS]
    y = [torch.randn(50, 3), torch.zeros(50, 3)]
    turn_decoders(one, x, y)
    first, second = one.parts
    assert first.decoder.shape == (6, 6)
    assert not first.decoder[:, 3:].any()  # nothing happens at the second target
    before = initialise(Dictionary(made), 0).parts[1].decoder
    assert torch.equal(second.decoder, before)
