"""A wrapped model: what it says about itself, and the architectures it refuses."""

import pytest
import torch
from transformers import AutoModelForCausalLM, BloomConfig

from sonde.core.errors import SondeError
from sonde.models.families import FAMILIES
from sonde.models.model import wrap
from sonde.models.tiny import tiny_config, tiny_hf, tiny_model


def test_info_describes_the_model() -> None:
    info = tiny_model("gemma2").info
    assert (info.family, info.n_layers, info.d_model) == ("gemma2", 3, 32)
    assert (info.n_heads, info.d_head, info.d_vocab, info.context) == (4, 12, 384, 512)
    assert info.dtype == "float32"
    hf = tiny_hf("gemma2")
    assert info.n_parameters == sum(parameter.numel() for parameter in hf.parameters())


def test_the_text_model_inside_a_wrapped_one_is_found() -> None:
    model = tiny_model("gemma3", wrapped=True)
    assert model.info.family == "gemma3"
    assert model.info.d_model == 32
    assert model.decoder is model.hf.model.language_model
    assert len(model.blocks) == 3


def test_wrapping_turns_dropout_off() -> None:
    hf = tiny_hf("gpt2").train()
    assert not wrap(hf, None, name="x", revision="", fingerprint="").hf.training


def test_an_unknown_architecture_is_refused_with_what_is_known() -> None:
    hf = AutoModelForCausalLM.from_config(
        BloomConfig(hidden_size=16, n_layer=1, n_head=2, vocab_size=32)
    )
    with pytest.raises(SondeError, match="'bloom' are not supported") as caught:
        wrap(hf, None, name="x", revision="", fingerprint="")
    assert all(family in str(caught.value) for family in FAMILIES)


def test_tiny_models_are_repeatable_and_leave_the_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (tiny_hf("qwen3", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [hf.model.layers[0].mlp.up_proj.weight for hf in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_an_unknown_family_names_the_nearest() -> None:
    with pytest.raises(SondeError, match="Did you mean 'gemma2'"):
        tiny_config("gemma-2")
