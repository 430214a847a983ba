"""Direct effects on the logits: against the model's own head, and by hand."""

import pytest
import torch

from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.samples.effects import logit_effects, through_norm
from sonde.models.check_reading import final_norm
from sonde.models.families import FAMILIES
from sonde.models.tiny import tiny_model

WIDTH = 32


def filled(**choices) -> Dictionary:
    """Return a dictionary with random decoders."""
    n = len(choices["sources"])
    dictionary = Dictionary(Architecture(**{"d_in": (WIDTH,) * n, "d_sae": 40} | choices))
    made = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for block in dictionary.parts:
            block.decoder.normal_(generator=made)
    return dictionary


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_norm_is_that_of_the_model_without_its_division(family):
    model = tiny_model(family)
    norm = final_norm(model.decoder, model.blocks)
    rows = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(0)) + 0.5
    with torch.no_grad():
        moved = norm(rows) - norm(torch.zeros(5, WIDTH))
    found = through_norm(norm, rows, model).detach()
    ratio = found / moved
    assert torch.allclose(ratio, ratio[:, :1].expand(-1, WIDTH), rtol=1e-3), "one divisor a row"


def test_an_sae_moves_the_logits_as_the_head_says():
    model = tiny_model("llama")
    sae = filled(sources=("blocks.1.resid_post",))
    found = logit_effects(sae, model, [3, 7], most=4)
    norm = final_norm(model.decoder, model.blocks)
    row = sae.parts[0].decoder[7].detach() * norm.weight.detach()
    effect = model.hf.lm_head.weight.detach()[: len(model.tokenizer)] @ row
    effect = effect - effect.mean()
    order = effect.argsort(descending=True)
    assert found.raised[1].tolist() == order[:4].tolist()
    assert found.lowered[1].tolist() == order.flip(0)[:4].tolist()
    assert torch.allclose(found.raised_by[1], effect[order[:4]], rtol=1e-4)
    assert torch.allclose(found.lowered_by[1], effect[order.flip(0)[:4]], rtol=1e-4)


def test_a_transcoder_writes_what_its_targets_add_together():
    model = tiny_model("llama")
    mlps = ("blocks.0.mlp_out", "blocks.1.mlp_out")
    mids = ("blocks.0.resid_mid", "blocks.1.resid_mid")
    cross = filled(sources=mids, targets=mlps, d_out=(WIDTH, WIDTH), cross_layer=True)
    plain = filled(sources=mids[:1], targets=mlps[:1], d_out=(WIDTH,))
    with torch.no_grad():
        first = cross.parts[0].decoder
        plain.parts[0].decoder.copy_(first[:, :WIDTH] + first[:, WIDTH:])
    whole, one = logit_effects(cross, model, [2]), logit_effects(plain, model, [2])
    assert torch.equal(whole.raised, one.raised)
    assert torch.allclose(whole.raised_by, one.raised_by, rtol=1e-4)
    last = logit_effects(cross, model, [42])
    assert last is not None, "a latent of the second block writes to the second target alone"


def test_of_several_residuals_the_last_is_taken_and_other_sites_have_no_effect():
    model = tiny_model("llama")
    crosscoder = filled(sources=("blocks.0.resid_post", "blocks.1.resid_post"))
    alone = filled(sources=("blocks.1.resid_post",))
    with torch.no_grad():
        alone.parts[0].decoder.copy_(crosscoder.parts[0].decoder[:, WIDTH:])
    both, one = logit_effects(crosscoder, model, [0]), logit_effects(alone, model, [0])
    assert torch.equal(both.raised, one.raised)
    assert logit_effects(filled(sources=("blocks.1.mlp_normed",)), model, [0]) is None


def test_what_a_post_norm_comes_after_is_not_added_as_it_is():
    module = filled(sources=("blocks.1.mlp_normed",), targets=("blocks.1.mlp_module_out",),
                    d_out=(WIDTH,))  # fmt: skip
    assert logit_effects(module, tiny_model("llama"), [0]) is not None
    assert logit_effects(module, tiny_model("gemma2"), [0]) is None
