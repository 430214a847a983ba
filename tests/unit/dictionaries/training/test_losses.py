"""Losses against dense formulas, and which weights they reach."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.dictionaries import Architecture, BatchTopK, Dictionary, Gated, JumpReLU, ReLU, TopK
from sonde.dictionaries.block import Spare
from sonde.dictionaries.training.losses import Wanted, loss_of


def random(sparsity=None, *, groups=(), target=False, seed=0):
    made = Architecture(
        sources=("blocks.1.resid_mid",), targets=("blocks.1.mlp_out",) if target else (),
        d_in=(5,), d_out=(4,) if target else (), d_sae=8, sparsity=sparsity or TopK(k=2),
        groups=groups,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    found = Dictionary(made).double()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return found


def rows(n=7, width=5, seed=1):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_reconstruction_is_the_mean_over_prefixes_of_squared_error_by_variance():
    one, x, y = random(groups=(2, 6), target=True), rows(), rows(width=4, seed=2)
    found = loss_of(one, [x], [y], Wanted(variance=(3.0,)))
    made = one(x).prefixes[0]
    by_hand = sum((made[n] - y).square().sum(dim=1).mean() for n in range(2)) / 2 / 3.0
    assert found.total.item() == pytest.approx(by_hand.item())
    assert list(found.parts) == ["reconstruction"]


def test_the_loss_of_a_batch_is_the_mean_of_its_halves():
    one, x = random(), rows(8)
    wanted = Wanted(variance=(2.0,))
    whole, *halves = (loss_of(one, [part], [part], wanted).total for part in (x, x[:4], x[4:]))
    assert whole.item() == pytest.approx(sum(halves).item() / 2)


@settings(max_examples=20)
@given(st.floats(0.01, 100))
def test_every_part_is_blind_to_the_scale_of_rows(scale):
    for sparsity in (TopK(k=2), ReLU(l1=0.3), Gated(l1=0.3)):
        one, x = random(sparsity), rows()
        other = random(sparsity)
        with torch.no_grad():  # what reads and writes rows `scale` times as large
            for block in other.parts:
                block.encoder.div_(scale)
                block.decoder.mul_(scale)
            other.bias[0].mul_(scale)
        penalty = torch.tensor(sparsity.l1).double() if hasattr(sparsity, "l1") else None
        a = loss_of(one, [x], [x], Wanted((2.0,), penalty))
        b = loss_of(other, [scale * x], [scale * x], Wanted((2.0 * scale**2,), penalty))
        for name, part in a.parts.items():
            assert b.parts[name].item() == pytest.approx(part.item(), rel=1e-9)


def test_an_l1_penalty_counts_decoder_norms():
    one, x = random(ReLU()), rows()
    found = loss_of(one, [x], [x], Wanted((4.0,), torch.tensor(0.5).double())).parts["penalty"]
    block = one.parts[0]
    acts = ((x - one.bias[0]) @ block.encoder.T + block.bias).relu()
    by_hand = 0.5 * (acts * block.decoder.norm(dim=1)).sum(dim=1).mean() / 2.0
    assert found.item() == pytest.approx(by_hand.item())


@pytest.mark.parametrize(
    "sparsity", [ReLU(), Gated(), JumpReLU(threshold=0.1), TopK(k=2), BatchTopK(k=2)], ids=str
)
@pytest.mark.parametrize("groups", [(), (2, 6)], ids=["flat", "Matryoshka"])
def test_in_mixed_precision_losses_are_summed_in_float32(sparsity, groups):
    one, x = random(sparsity, groups=groups).float(), rows(300).float()
    by_count = isinstance(sparsity, TopK | BatchTopK)
    spare = (Spare(2, torch.tensor([1, 4])),) if by_count else ()
    penalty = None if by_count else torch.tensor(0.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss_of(one, [x], [x], Wanted((2.0,), penalty, spare, aux=0.5))
        encoded = one.parts[0].encode_for_training(one.read([x])[0])
    assert {part.dtype for part in found.parts.values()} == {torch.float32}
    assert {made.dtype for made in found.made.prefixes} == {torch.float32}
    assert by_count or encoded.quiet.dtype == torch.float32
    if isinstance(sparsity, ReLU | Gated):
        dense = (encoded.gate or encoded.latents).dense().detach().double()
        by_hand = (dense * one.parts[0].decoder.double().norm(dim=1)).sum(dim=1).mean().item()
        assert encoded.quiet.item() == pytest.approx(by_hand, rel=1e-6)
        assert found.parts["penalty"].item() == pytest.approx(0.5 * by_hand / 2**0.5, rel=1e-6)


def test_an_l0_penalty_counts_active_latents_and_moves_thresholds():
    one, x = random(JumpReLU(bandwidth=2.0)), rows()
    with torch.no_grad():
        one.parts[0].threshold.abs_()
    found = loss_of(one, [x], [x], Wanted((4.0,), torch.tensor(0.5).double()))
    block = one.parts[0]
    pre = ((x - one.bias[0]) @ block.encoder.T + block.bias).relu()
    by_hand = 0.5 * (pre > block.threshold).double().sum(dim=1).mean()
    assert found.parts["penalty"].item() == pytest.approx(by_hand.item())
    slope = torch.autograd.grad(found.parts["penalty"], block.threshold)[0]
    near = (pre - block.threshold).abs() < 1.0
    assert torch.allclose(slope, -0.5 * near.double().mean(dim=0) / 2.0)


def dense_aux(one, x, dead, k, variance):
    """The auxiliary loss on dense matrices, for autograd."""
    block, bias = one.parts[0], one.bias[0]
    pre = (x - bias) @ block.encoder.T + block.bias
    made = one(x).targets[0]
    left = pre[:, dead].relu()
    values, places = left.topk(min(k, len(dead)), dim=1)
    sparse = torch.zeros_like(left).scatter(1, places, values)
    error = (x - made).detach()
    share = min(1.0, len(dead) / k)
    return share * (sparse @ block.decoder[dead] - error).square().sum(dim=1).mean() / variance


def test_the_auxiliary_loss_reaches_the_encoder_of_dead_latents_and_no_other():
    one, x, dead = random(), rows(), torch.tensor([1, 4, 6])
    found = loss_of(one, [x], [x], Wanted((2.0,), None, (Spare(2, dead),), aux=0.25)).parts["aux"]
    by_hand = 0.25 * dense_aux(one, x, dead, 2, 2.0)
    assert found.item() == pytest.approx(by_hand.item())
    parameters = [one.parts[0].encoder, one.parts[0].bias, one.parts[0].decoder]
    ours = torch.autograd.grad(found, parameters)
    theirs = torch.autograd.grad(by_hand, parameters)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b)
    encoder = ours[0]
    assert bool((encoder[dead].abs().sum(dim=1) > 0).any())
    alive = [n for n in range(8) if n not in dead.tolist()]
    assert not encoder[alive].any()


def test_few_dead_latents_count_in_proportion():
    one, x, dead = random(), rows(), torch.tensor([3])
    wanted = Wanted((2.0,), None, (Spare(4, dead),), aux=1.0)
    found = loss_of(one, [x], [x], wanted).parts["aux"]
    assert found.item() == pytest.approx(dense_aux(one, x, dead, 4, 2.0).item())


def test_the_auxiliary_loss_of_nested_latents_is_of_the_error_of_the_whole():
    one, x, dead = random(groups=(2, 6)), rows(), torch.tensor([1, 4, 6])
    wanted = Wanted((2.0,), None, (Spare(2, dead),), aux=1.0)
    found = loss_of(one, [x], [x], wanted).parts["aux"]
    assert found.item() == pytest.approx(dense_aux(one, x, dead, 2, 2.0).item())


def test_a_gate_learns_by_its_own_loss_and_leaves_the_decoder_alone():
    one, x = random(Gated()), rows()
    found = loss_of(one, [x], [x], Wanted((2.0,), torch.tensor(0.1).double()))
    block = one.parts[0]
    gate = ((x - one.bias[0]) @ block.encoder.T + block.gate_bias).relu()
    by_hand = (x - one.bias[0] - gate @ block.decoder).square().sum(dim=1).mean() / 2.0
    assert found.parts["gate"].item() == pytest.approx(by_hand.item())
    slopes = torch.autograd.grad(
        found.parts["gate"], [block.gate_bias, block.decoder], allow_unused=True
    )
    assert bool(slopes[0].any()) and slopes[1] is None
    # What opens the gate gets no slope from the reconstruction, whose gate is a step.
    alone = torch.autograd.grad(found.parts["reconstruction"], block.gate_bias, allow_unused=True)[
        0
    ]
    assert alone is None or not alone.any()
