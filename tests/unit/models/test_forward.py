"""The forward pass: edits and captures together, scopes, hooks removed, gradients."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from sonde.core.edits import Add, Clamp, Replace, Scope, When
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.core.positions import Pool
from sonde.models.forward import (
    Gather,
    TokenBatch,
    blocks_needed,
    differentiable_forward,
    forward,
    pad_batch,
)
from sonde.models.generate import GenerateSettings, generate
from sonde.models.model import Model
from sonde.models.tiny import tiny_model

POST = HookPoint(1, Site.RESID_POST)


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model("qwen3")


@pytest.fixture(scope="module")
def batch() -> TokenBatch:
    return pad_batch([list(b"first text"), list(b"the second text"), list(b"third")])


def read(model: Model, batch: TokenBatch, hook: HookPoint, *edits) -> Tensor:
    return forward(model, batch, capture=[hook], edits=edits).activations[hook]


def n_hooks(module: nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


def test_padding_changes_nothing(model: Model, batch: TokenBatch) -> None:
    together = read(model, batch, POST)
    for row, length in enumerate(batch.lengths.tolist()):
        alone = read(model, TokenBatch(batch.ids[row : row + 1, :length], batch.lengths[:1]), POST)
        assert_close(together[row, :length], alone[0], atol=1e-5, rtol=1e-4)


def test_edits_apply_in_the_order_given_and_captures_see_them(model, batch) -> None:
    v = torch.ones(32)
    plain = read(model, batch, POST)
    add, clamp = Add(POST, v, 10.0), Clamp(POST, v, 0.0, 0.0)
    unit = v / v.norm()
    added_last = read(model, batch, POST, clamp, add)
    clamped_last = read(model, batch, POST, add, clamp)
    flat = plain - (plain @ unit)[..., None] * unit
    assert_close(added_last, flat + 10.0, atol=1e-4, rtol=1e-4)
    assert_close(clamped_last, flat, atol=1e-4, rtol=1e-4)


def test_each_row_has_its_own_edit(model: Model, batch: TokenBatch) -> None:
    plain = read(model, batch, POST)
    vectors = torch.randn(3, 32, generator=torch.Generator().manual_seed(0))
    scales = torch.tensor([1.0, 0.0, -2.0])
    got = read(model, batch, POST, Add(POST, vectors, scales))
    assert_close(got, plain + (scales[:, None] * vectors)[:, None])
    other = HookPoint(0, Site.MLP_OUT)
    by_layer = [
        Add(POST, vectors, scope=Scope(rows=torch.tensor([True, False, False]))),
        Add(other, vectors, scope=Scope(rows=torch.tensor([False, False, True]))),
    ]
    got = read(model, batch, POST, *by_layer)
    assert_close(got[0], plain[0] + vectors[0])
    assert torch.equal(got[1], plain[1])
    assert torch.equal(got[2], read(model, batch, POST, Add(other, vectors[2]))[2])


def test_rows_and_tokens_of_a_scope_both_bind(model: Model, batch: TokenBatch) -> None:
    tokens = torch.zeros_like(batch.ids, dtype=torch.bool)
    tokens[:, 2] = True
    scope = Scope(rows=torch.tensor([False, True, False]), tokens=tokens)
    moved = read(model, batch, POST, Replace(POST, torch.zeros(32), scope)) == 0
    assert moved.all(-1).nonzero().tolist() == [[1, 2]]


def test_activations_of_one_text_can_be_patched_into_another(model, batch) -> None:
    mid = HookPoint(0, Site.RESID_MID)
    donor = read(model, batch, mid).roll(1, dims=0)
    patched = forward(model, batch, capture=[mid], edits=[Replace(mid, donor)], logits=True)
    assert torch.equal(patched.activations[mid], donor)
    rolled = TokenBatch(batch.ids.roll(1, dims=0), batch.lengths.roll(1))
    want = forward(model, rolled, logits=True).logits
    assert_close(patched.logits, want, atol=1e-5, rtol=1e-4)


def test_hooks_are_gone_afterwards_whatever_happens(model: Model, batch: TokenBatch) -> None:
    before = n_hooks(model.hf)
    read(model, batch, POST)
    forward(model, batch, capture=[POST], logits=True)
    with pytest.raises(SondeError, match="width 32"):
        read(model, batch, POST, Add(HookPoint(0, Site.ATTN_OUT), torch.ones(5)))

    def fail(*_: object) -> None:
        raise RuntimeError("in the middle")

    handle = model.blocks[1].mlp.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        read(model, batch, POST)
    handle.remove()
    assert n_hooks(model.hf) == before
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def test_a_pass_leaves_the_model_as_it_was(model: Model, batch: TokenBatch) -> None:
    before = forward(model, batch, logits=True).logits
    widths = {Site.HEAD_OUT: model.info.n_heads * model.info.d_head}
    edits = [
        Add(HookPoint(1, site), torch.ones(widths.get(site, 32))) for site in model.family.sites
    ]
    assert not torch.equal(forward(model, batch, edits=edits, logits=True).logits, before)
    assert torch.equal(forward(model, batch, logits=True).logits, before)


def test_tuple_outputs_keep_their_other_parts(model: Model, batch: TokenBatch) -> None:
    seen: list[object] = []
    handle = model.module(1, "self_attn").register_forward_hook(
        lambda _, args, out: seen.append(type(out))
    )
    forward(model, batch, edits=[Add(HookPoint(1, Site.ATTN_OUT), torch.ones(32))], logits=True)
    handle.remove()
    assert seen == [tuple]


def test_activations_can_be_used_for_training(model: Model, batch: TokenBatch) -> None:
    """An inference tensor could not be."""
    rows = Gather.build([(0, [1], Pool.LAST)])
    x = forward(model, batch, capture=[POST], gather=rows).activations[POST]
    assert not x.requires_grad
    weight = torch.zeros(32, requires_grad=True)
    (x @ weight).sum().backward()
    assert_close(weight.grad, x[0])


def test_gradients_reach_captures_and_edits(model: Model, batch: TokenBatch) -> None:
    v = torch.zeros(32, requires_grad=True)
    edit = Add(HookPoint(0, Site.RESID_MID), v)
    got = differentiable_forward(model, batch, capture=[POST], edits=[edit], logits=True)
    assert got.logits is not None
    loss = got.logits[0, 3, 7]
    at_capture, at_edit = torch.autograd.grad(loss, [got.activations[POST], v])
    assert at_capture[0, :4].abs().sum() > 0
    assert at_capture[1:].abs().sum() == 0
    step = 1e-2 * torch.randn(32, generator=torch.Generator().manual_seed(0))
    up, down = (
        forward(model, batch, edits=[Add(edit.hook, sign * step)], logits=True).logits[0, 3, 7]
        for sign in (1, -1)
    )
    assert_close((up - down) / 2, at_edit @ step, atol=1e-4, rtol=2e-2)


def test_only_what_is_needed_is_counted() -> None:
    assert blocks_needed([HookPoint(3, Site.RESID_PRE)]) == 3
    assert blocks_needed([HookPoint(3, Site.RESID_PRE), HookPoint(2, Site.MLP_OUT)]) == 3
    assert blocks_needed([HookPoint(3, Site.HEAD_OUT)]) == 4


def test_requests_that_cannot_be_met(model: Model, batch: TokenBatch) -> None:
    v = torch.ones(32)
    with pytest.raises(SondeError, match="asked for nothing"):
        forward(model, batch)
    with pytest.raises(SondeError, match="has 3 blocks"):
        read(model, batch, HookPoint(3, Site.RESID_POST))
    with pytest.raises(SondeError, match="has 3 blocks"):
        read(model, batch, POST, Add(HookPoint(9, Site.RESID_POST), v))
    with pytest.raises(SondeError, match="generated tokens"):
        read(model, batch, POST, Add(POST, v, scope=Scope(when=When.GENERATED)))
    with pytest.raises(SondeError, match=r"shape \[2\], and the batch has \[3\]"):
        read(model, batch, POST, Add(POST, v, scope=Scope(rows=torch.ones(2).bool())))
    with pytest.raises(SondeError, match="600 tokens, and tiny qwen3 reads 512"):
        read(model, pad_batch([[1] * 600]), POST)


def test_lengths_that_are_read_differently_do_not_share_a_batch() -> None:
    """LongRoPE takes its frequencies by the longest row, so a shorter one would change."""
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "short_factor": [1.0] * 4,
        "long_factor": [4.0] * 4,
        "original_max_position_embeddings": 16,
        "factor": 32.0,
    }
    model = tiny_model("phi3", rope_parameters=rope, original_max_position_embeddings=16)
    assert model.rope_switch == 16
    short, long = list(range(10)), list(range(20))
    with pytest.raises(SondeError, match="both sides of 16 tokens"):
        read(model, pad_batch([short, long]), POST)
    alone = read(model, pad_batch([long]), POST)[0, :10]
    assert not torch.allclose(read(model, pad_batch([short]), POST)[0], alone, atol=1e-4)
    settings = GenerateSettings(max_new_tokens=4)
    together = generate(model, [short, long], settings).tokens
    assert together == tuple(generate(model, [row], settings).tokens[0] for row in (short, long))
    with pytest.raises(SondeError, match="changes its rotary frequencies at 16"):
        generate(model, [short], GenerateSettings(max_new_tokens=7))
