"""Every family, every site, every edit, on tiny random models."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from sonde.core.edits import Ablate, Add, Affine, Clamp, Edit, Replace, Scope
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.core.positions import Pool
from sonde.models.families import FAMILIES
from sonde.models.forward import Gather, forward, pad_batch
from sonde.models.generate import GenerateSettings, generate
from sonde.models.model import Model
from sonde.models.self_check import self_check
from sonde.models.tiny import tiny_model

CASES = [*FAMILIES, "gemma3 wrapped"]
LAYER = 1
PROMPTS = [list(b"a short one"), list(b"one that is a good deal longer"), list(b"between these")]


@pytest.fixture(scope="module", params=CASES)
def model(request: pytest.FixtureRequest) -> Model:
    family, _, wrapped = request.param.partition(" ")
    return tiny_model(family, wrapped=bool(wrapped))


def test_the_self_check_passes(model: Model) -> None:
    found = self_check(model)
    assert found.passed, [check for check in found.checks if not check.passed]
    assert found.refused == {}
    assert len(found.checks) >= 16


def test_residuals_are_the_librarys_hidden_states(model: Model) -> None:
    batch = pad_batch(PROMPTS)
    hooks = model.hook_points(["resid_pre", "resid_post"])
    got = forward(model, batch, capture=hooks, logits=True)
    with torch.no_grad():
        want = model.hf(input_ids=batch.ids, output_hidden_states=True, use_cache=False)
    assert torch.equal(got.logits, want.logits)
    for layer in range(model.info.n_layers):
        pre = got.activations[HookPoint(layer, Site.RESID_PRE)]
        post = got.activations[HookPoint(layer, Site.RESID_POST)]
        assert torch.equal(pre, want.hidden_states[layer])
        if layer < model.info.n_layers - 1:
            assert torch.equal(post, want.hidden_states[layer + 1])
        else:  # the library's last entry is after the final norm, so it is something else
            assert not torch.allclose(post, want.hidden_states[layer + 1])


def test_sites_are_what_hand_made_hooks_see(model: Model) -> None:
    """What attention adds is found without the family table: by silencing the block's MLP."""
    batch = pad_batch(PROMPTS)
    block = model.blocks[LAYER]
    seen: dict[str, Tensor] = {}
    heads = next(module for name, module in block.named_modules() if name.endswith(_PROJECTIONS))
    handles = [
        block.register_forward_pre_hook(lambda _, args: seen.update(pre=args[0])),
        block.register_forward_hook(lambda _, args, out: seen.update(post=out)),
        block.mlp.register_forward_pre_hook(lambda _, args: seen.update(normed=args[0])),
        block.mlp.register_forward_hook(lambda _, args, out: seen.update(module_out=out)),
        heads.register_forward_pre_hook(lambda _, args: seen.update(heads=args[0])),
    ]
    with torch.no_grad():
        model.decoder(input_ids=batch.ids, use_cache=False)
        silence = block.mlp.register_forward_hook(lambda _, args, out: torch.zeros_like(out))
        whole = dict(seen)
        model.decoder(input_ids=batch.ids, use_cache=False)
    for handle in (*handles, silence):
        handle.remove()
    attention = seen["post"] - whole["pre"]  # a post-norm of zeros is zero, for want of a bias
    got = forward(model, batch, capture=model.hook_points(list(model.family.sites), LAYER))
    at = {hook.site: found for hook, found in got.activations.items()}
    assert torch.equal(at[Site.MLP_NORMED], whole["normed"])
    assert torch.equal(at[Site.MLP_MODULE_OUT], whole["module_out"])
    assert torch.equal(at[Site.HEAD_OUT].flatten(2), whole["heads"])
    assert_close(at[Site.ATTN_OUT], attention, atol=1e-5, rtol=1e-4)
    assert_close(at[Site.MLP_OUT], whole["post"] - whole["pre"] - attention, atol=1e-5, rtol=1e-4)
    if Site.RESID_MID in at:
        assert_close(at[Site.RESID_MID], whole["pre"] + attention, atol=1e-5, rtol=1e-4)
    shape = at[Site.HEAD_OUT].shape
    assert shape[-2:] == (model.info.n_heads, model.info.d_head)


_PROJECTIONS = ("o_proj", "attn.c_proj", "attention.dense")


def test_mlp_normed_ungained_has_unit_scale(model: Model) -> None:
    if Site.MLP_NORMED_UNGAINED not in model.family.sites:
        with pytest.raises(SondeError, match="without a norm"):
            model.hook_points("mlp_normed_ungained")
        return
    hook = HookPoint(LAYER, Site.MLP_NORMED_UNGAINED)
    found = forward(model, pad_batch(PROMPTS), capture=[hook]).activations[hook]
    assert_close(found.square().mean(-1), torch.ones(found.shape[:2]), atol=1e-3, rtol=0)


def _edits(hook: HookPoint, x: Tensor) -> dict[str, tuple[Edit, Tensor]]:
    """Return each kind of edit with what it should make of ``x``, worked out apart."""
    width = x.shape[-1]
    random = torch.Generator().manual_seed(1)
    v = torch.randn(width, generator=random)
    unit = v / v.norm()
    matrix = torch.randn(width, width, generator=random) / width**0.5
    along = x @ unit
    return {
        "add": (Add(hook, v, 0.5), x + 0.5 * v),
        "ablate": (Ablate(hook, 3 * v), x - along[..., None] * unit),
        "clamp": (
            Clamp(hook, v, 3.0, 4.0),
            x + (along.clamp(3.0, 4.0) - along)[..., None] * unit,
        ),
        "replace": (Replace(hook, v), v.expand_as(x)),
        "affine": (Affine(hook, matrix, v), x @ matrix + v),
    }


@pytest.mark.parametrize("kind", ["add", "ablate", "clamp", "replace", "affine"])
def test_every_edit_at_every_site(model: Model, kind: str) -> None:
    batch = pad_batch(PROMPTS)
    reached = torch.zeros_like(batch.ids, dtype=torch.bool)
    reached[1, 7:9] = True
    post = HookPoint(LAYER, Site.RESID_POST)
    for site in model.family.sites:
        hook = HookPoint(LAYER, site)
        plain = forward(model, batch, capture=[hook, post]).activations
        x = plain[hook].flatten(2)
        edit, wanted = _edits(hook, x)[kind]
        scoped = type(edit)(**{**_fields(edit), "scope": Scope(tokens=reached)})
        edited = forward(model, batch, capture=[hook, post], edits=[scoped]).activations
        wanted = torch.where(reached[..., None], wanted, x)
        assert_close(edited[hook].flatten(2), wanted, atol=1e-5, rtol=1e-4)
        changed = (edited[post] != plain[post]).any(-1)
        assert changed[1, 7:9].all(), f"{kind} at {site} did not reach the residual"
        assert not changed[0].any()
        assert not changed[1, :7].any()


def _fields(edit: Edit) -> dict[str, object]:
    return {name: getattr(edit, name) for name in type(edit).__dataclass_fields__}


def test_an_edit_of_the_residual_moves_the_residual(model: Model) -> None:
    """A vector added before the MLP is in the block's output next to what the MLP makes of it."""
    sites = {Site.RESID_PRE, Site.ATTN_OUT, Site.RESID_MID, Site.MLP_OUT, Site.RESID_POST}
    batch = pad_batch(PROMPTS[:1])
    v = torch.randn(model.info.d_model, generator=torch.Generator().manual_seed(3))
    every = model.hook_points(list(model.family.sites), LAYER)

    def run(edits: list[Edit]) -> dict[Site, Tensor]:
        found = forward(model, batch, capture=every, edits=edits).activations
        return {hook.site: tensor for hook, tensor in found.items()}

    plain = run([])
    for site in sites & set(model.family.sites):
        edited = run([Add(HookPoint(LAYER, site), v)])
        moved = {name: edited[name] - plain[name] for name in edited}
        wanted = v.expand_as(moved[Site.RESID_POST])
        if site is Site.RESID_PRE:
            wanted = wanted + moved[Site.ATTN_OUT]
        if site not in (Site.MLP_OUT, Site.RESID_POST):
            wanted = wanted + moved[Site.MLP_OUT]
        assert_close(moved[Site.RESID_POST], wanted, atol=1e-4, rtol=1e-4)


def test_a_pass_ends_where_nothing_more_is_asked_for(model: Model) -> None:
    ran: list[str] = []
    parts = {
        f"{part} {layer}": model.module(layer, path)
        for layer in range(model.info.n_layers)
        for part, path in (("attn", model.family.attn), ("mlp", model.family.mlp))
    }
    handles = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, module in parts.items()
    ]
    handles.append(
        model.hf.get_output_embeddings().register_forward_hook(lambda *_: ran.append("head"))
    )
    needed = {
        Site.RESID_PRE: ["attn 0", "mlp 0"],
        Site.HEAD_OUT: ["attn 0", "mlp 0"],
        Site.ATTN_OUT: ["attn 0", "mlp 0", "attn 1"],
        Site.MLP_NORMED: ["attn 0", "mlp 0", "attn 1"],
        Site.RESID_POST: ["attn 0", "mlp 0", "attn 1", "mlp 1"],
    }
    for site, wanted in needed.items():
        ran.clear()
        forward(model, pad_batch(PROMPTS), capture=[HookPoint(LAYER, site)])
        assert ran == wanted, site
    for handle in handles:
        handle.remove()


def test_module_paths_resolve(model: Model) -> None:
    path = next(name for name, module in model.hf.named_modules() if module is model.blocks)
    for prefix in (path, model.family.blocks):
        assert model.hook_points(f"{prefix}.1") == (HookPoint(1, Site.RESID_POST),)
        assert model.hook_points(f"{prefix}.2.mlp") == (HookPoint(2, Site.MLP_MODULE_OUT),)
    attention = f"{path}.0.{model.family.attn}"
    if model.family.attn_post_norm is None:
        assert model.hook_points(attention) == (HookPoint(0, Site.ATTN_OUT),)
    else:
        with pytest.raises(SondeError, match="Ask for attn_out"):
            model.hook_points(attention)
        normed = f"{path}.0.{model.family.attn_post_norm}"
        assert model.hook_points(normed) == (HookPoint(0, Site.ATTN_OUT),)
    with pytest.raises(SondeError, match="head_out"):
        model.hook_points(f"{path}.0.{model.family.attn_projection}")


def test_generation_in_a_padded_batch_is_generation_alone(model: Model) -> None:
    settings = GenerateSettings(max_new_tokens=12)
    together = generate(model, PROMPTS, settings)
    alone = [generate(model, [prompt], settings).tokens[0] for prompt in PROMPTS]
    assert list(together.tokens) == alone
    hook = HookPoint(LAYER, Site.RESID_MID if not model.family.parallel else Site.ATTN_OUT)
    v = torch.randn(model.info.d_model, generator=torch.Generator().manual_seed(5))
    assert generate(model, PROMPTS, settings, [Add(hook, v, 0.0)]).tokens == together.tokens
    assert generate(model, PROMPTS, settings, [Add(hook, 20 * v)]).tokens != together.tokens


def test_gathering_picks_from_the_full_activations(model: Model) -> None:
    batch = pad_batch(PROMPTS)
    hooks = model.hook_points(list(model.family.sites), LAYER)
    gather = Gather.build([(2, [4, 5, 9], Pool.MEAN), (0, [10], Pool.LAST)])
    rows = forward(model, batch, capture=hooks, gather=gather).activations
    full = forward(model, batch, capture=hooks).activations
    for hook in hooks:
        assert_close(rows[hook][0], full[hook][2, [4, 5, 9]].mean(0))
        assert torch.equal(rows[hook][1], full[hook][0, 10])
