"""Dictionaries of every combination of choices, against dense formulas and by hand."""

import itertools

import pytest
import torch
from pydantic import ValidationError

from sonde.core.errors import SondeError
from sonde.dictionaries import (
    Architecture,
    BatchTopK,
    Dictionary,
    Gated,
    JumpReLU,
    ReLU,
    TopK,
)

SPARSITIES = (
    ReLU(),
    TopK(k=3),
    TopK(k=3, relu=False, by_norm=True),
    BatchTopK(k=3),
    BatchTopK(k=3, by_norm=True),
    JumpReLU(threshold=0.3, bandwidth=0.5),
    Gated(),
)
LAYERS = (2, 3, 4)
SHAPES = {
    "SAE": {"sources": (2,), "targets": ()},
    "transcoder": {"sources": (2,), "targets": (2,)},
    "crosscoder": {"sources": LAYERS, "targets": ()},
    "several to one": {"sources": LAYERS, "targets": (4,)},
    "cross-layer": {"sources": LAYERS, "targets": LAYERS, "cross_layer": True},
}


def architecture(shape, sparsity, groups=(), skip=False, d_sae=12):
    given = dict(SHAPES[shape])
    sources, targets = given.pop("sources"), given.pop("targets")
    return Architecture(
        sources=tuple(f"blocks.{layer}.resid_mid" for layer in sources),
        targets=tuple(f"blocks.{layer}.mlp_out" for layer in targets),
        d_in=tuple(4 + number for number in range(len(sources))),
        d_out=tuple(5 + number for number in range(len(targets))),
        d_sae=d_sae,
        sparsity=sparsity,
        groups=groups,
        skip=skip,
        **given,
    )


def random(made, seed=0):
    """A dictionary with random weights, none of them zero."""
    torch.manual_seed(seed)
    found = Dictionary(made).double()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.copy_(torch.randn_like(parameter))
        for block in found.parts:
            if isinstance(made.sparsity, JumpReLU):
                block.threshold.copy_(block.threshold.abs())
    return found


def rows(made, n=9, seed=1):
    torch.manual_seed(seed)
    return [torch.randn(n, width, dtype=torch.float64) for width in made.d_in]


def dense_latents(block, x, sparsity):
    """The formulas of the kinds of sparsity, on dense matrices."""
    pre = x @ block.encoder.T + block.bias
    if isinstance(sparsity, ReLU):
        return pre.relu()
    if isinstance(sparsity, JumpReLU):
        return pre * (pre > block.threshold)
    if isinstance(sparsity, Gated):
        gate = x @ block.encoder.T + block.gate_bias > 0
        return gate * (x @ (block.encoder.T * block.log_scale.exp()) + block.bias).relu()
    score = pre * block.decoder.norm(dim=1) if sparsity.by_norm else pre
    if isinstance(sparsity, TopK):
        least = score.sort(dim=1, descending=True).values[:, sparsity.k - 1, None]
        chosen = (score >= least) & ((score > 0) if sparsity.relu else True)
    else:
        least = score.flatten().sort(descending=True).values[sparsity.k * len(x) - 1]
        chosen = (score >= least) & (score > 0)
    return torch.where(chosen, pre, 0.0)


def combinations():
    for shape, sparsity, groups in itertools.product(SHAPES, SPARSITIES, [(), (2, 4, 6)]):
        for skip in (False, True):
            if not (skip and shape in ("SAE", "crosscoder")):
                yield pytest.param(
                    shape,
                    sparsity,
                    groups,
                    skip,
                    id=f"{shape}-{sparsity.kind}-{len(groups)}-{skip}",
                )


@pytest.mark.parametrize(("shape", "sparsity", "groups", "skip"), list(combinations()))
def test_every_combination_is_its_formula_with_its_gradients(shape, sparsity, groups, skip):
    made = architecture(shape, sparsity, groups, skip)
    one, sources = random(made), rows(made)
    found = one(*sources)
    weights = [torch.randn_like(part) for part in found.prefixes]
    loss = sum((part * weight).sum() for part, weight in zip(found.prefixes, weights, strict=True))
    loss.backward()
    sparse = {name: parameter.grad.clone() for name, parameter in one.named_parameters()
              if parameter.grad is not None}  # fmt: skip
    one.zero_grad()
    read = (
        [x - bias for x, bias in zip(sources, one.bias, strict=True)]
        if (made.takes_bias_off)
        else sources
    )
    prefixes = [[] for _ in made.outputs]
    acts = [
        dense_latents(block, torch.cat([read[n] for n in reach.sources], 1), sparsity)
        for block, reach in zip(one.parts, made.reaches, strict=True)
    ]
    for number in made.prefixes:
        written = [
            (act[:, :number] @ block.decoder[:number]).split(
                [made.widths_out[n] for n in reach.targets], dim=1
            )
            for act, block, reach in zip(acts, one.parts, made.reaches, strict=True)
        ]
        for target, bias in enumerate(one.bias):
            parts = [
                part[reach.targets.index(target)]
                for part, reach in zip(written, made.reaches, strict=True)
                if target in reach.targets
            ]
            whole = sum(parts) + bias
            if skip:
                own = sources[target] if made.cross_layer else torch.cat(sources, 1)
                whole = whole + own @ one.skip[target].T
            prefixes[target].append(whole)
    for latents, act in zip(found.latents, acts, strict=True):
        torch.testing.assert_close(latents.dense(), act)
        assert latents.l0().tolist() == (act != 0).sum(dim=1).tolist()
        assert latents.fired().tolist() == (act != 0).sum(dim=0).tolist()
    expected = [torch.stack(parts) for parts in prefixes]
    for part, other in zip(found.prefixes, expected, strict=True):
        torch.testing.assert_close(part, other)
    if isinstance(sparsity, JumpReLU):
        return  # its gradients are a kernel's, below
    sum((part * weight).sum() for part, weight in zip(expected, weights, strict=True)).backward()
    for name, parameter in one.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(sparse[name], parameter.grad, msg=name)


def test_an_sae_by_hand():
    """Two latents: encoder rows (1, 0) and (0, 2), decoder rows (1, 1) and (0, 3)."""
    made = Architecture(sources=("blocks.0.resid_post",), d_in=(2,), d_sae=2, sparsity=TopK(k=1))
    one = Dictionary(made)
    with torch.no_grad():
        one.parts[0].encoder.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        one.parts[0].decoder.copy_(torch.tensor([[1.0, 1.0], [0.0, 3.0]]))
        one.bias[0].copy_(torch.tensor([1.0, 0.0]))
    found = one(torch.tensor([[3.0, 0.5], [1.0, 4.0], [0.0, -1.0]]))
    # Less (1, 0): (2, .5), (0, 4), (-1, -1); pre (2, 1), (0, 8), (-1, -2).
    assert found.latents[0].dense().tolist() == [[2, 0], [0, 8], [0, 0]]
    assert found.targets[0].tolist() == [[3, 2], [1, 24], [1, 0]]


def test_batch_topk_learns_a_threshold_that_stands_in_for_the_batch():
    made = architecture("SAE", BatchTopK(k=3, decay=0.5))
    one, (x,) = random(made), rows(made, n=40)
    least = [float(one.encode([part])[0].value.min().detach()) for part in x.split(20)]
    (block,) = one.parts
    assert float(block.threshold) == pytest.approx(0.5 * least[0] + 0.5 * least[1])
    one.eval()
    alone = torch.cat([one.encode([row[None]])[0].dense() for row in x])
    torch.testing.assert_close(alone, one.encode([x])[0].dense())  # no row hangs on its batch
    assert float(alone[alone > 0].min().detach()) > float(block.threshold)


def test_a_threshold_learns_through_its_kernel():
    """One latent, threshold .5, bandwidth .4: of pre-activations .2, .4, .6, 1 two are near."""
    made = Architecture(
        sources=("blocks.0.resid_post",), d_in=(1,), d_sae=1, centred=False,
        sparsity=JumpReLU(threshold=0.5, bandwidth=0.4),
    )  # fmt: skip
    one = Dictionary(made)
    with torch.no_grad():
        one.parts[0].encoder.fill_(1.0)
        one.parts[0].decoder.fill_(1.0)
    x = torch.tensor([[0.2], [0.4], [0.6], [1.0]])
    (found,) = one(x).targets
    assert found.flatten().tolist() == pytest.approx([0, 0, 0.6, 1])
    (found * torch.tensor([[1.0], [2.0], [4.0], [8.0]])).sum().backward()
    # -(.5 / .4) (2 + 4) of the near ones; the encoder's: 4 * .6 + 8 * 1.
    assert one.parts[0].threshold.grad.tolist() == pytest.approx([-7.5])
    assert one.parts[0].encoder.grad.flatten().tolist() == pytest.approx([10.4])


def test_other_widths_and_a_skip_without_sources_are_named():
    made = architecture("transcoder", TopK(k=2), skip=True)
    one = Dictionary(made)
    with pytest.raises(SondeError, match=r"reads widths \[4\], and activations of widths \[7\]"):
        one(torch.zeros(2, 7))
    with pytest.raises(SondeError, match="cannot decode latents alone"):
        one.decode(one.encode([torch.zeros(2, 4)]))
    with pytest.raises(ValidationError):
        architecture("SAE", TopK(k=2), skip=True)
