"""Sizes: a model from its configuration, the tokens of texts from what is at hand."""

import json

import pytest

from sonde.core.errors import SondeError
from sonde.data.examples import Example, Message
from sonde.experiments import sizes
from sonde.experiments.sizes import (
    CHARACTERS_A_TOKEN,
    TEMPLATE_TOKENS,
    count_tokens,
    depth_of,
    sizes_of,
    tokenizer_at_hand,
)
from sonde.models.spec import ModelSpec

TINY = {
    "model_type": "llama",
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 12,
    "vocab_size": 300,
    "num_hidden_layers": 3,
    "tie_word_embeddings": False,
    "pad_token_id": None,
}
# Queries and output 2·64, keys and values 2·32, MLP 3·96, norms 2·8.
BLOCK = 2 * 64 + 2 * 32 + 3 * 96 + 2 * 8


@pytest.fixture
def tiny(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(TINY))
    return ModelSpec(name=f"random:{tmp_path}")


def test_a_model_by_hand(tiny):
    found = sizes_of(tiny, "bfloat16")
    assert (found.n_layers, found.d_model, found.dtype) == (3, 8, "bfloat16")
    # The final norm's 8 weights are dealt out over the 3 blocks.
    assert found.block_parameters == BLOCK + 8 // 3
    assert found.block_bytes == 2 * found.block_parameters
    assert found.weights == 2 * (2 * 300 * 8 + 3 * BLOCK + 8)
    assert found.flops(10, 2) == 2 * (2 * found.block_parameters * 10 + 2 * 100 * 8)
    assert found.pass_bytes(5, 3) == 5 * (found.per_token + 3 * 8 * 2)


def test_the_spec_s_own_dtype_comes_before_the_hardware_s(tiny):
    wide = ModelSpec(name=tiny.name, dtype="float32")
    assert sizes_of(wide, "bfloat16").weights == 2 * sizes_of(tiny, "bfloat16").weights


def test_depth_needs_no_weights(tiny):
    assert depth_of(tiny) == 3
    assert depth_of(ModelSpec(name="random:gemma-2-27b")) == 46


def test_a_token_of_a_mixture_meets_only_its_experts():
    spec = ModelSpec(name="random:mixtral")
    found = sizes_of(spec, "float32")
    held = found.block_bytes // 4
    assert held / 4 < found.block_parameters < held


def test_an_unknown_model_is_an_error_that_names_the_nearest():
    with pytest.raises(SondeError, match="gemma-2-2b"):
        sizes_of(ModelSpec(name="gema-2-2b"), "float32")


def test_a_configuration_without_sizes_is_refused(tiny, monkeypatch):
    from types import SimpleNamespace

    from sonde.models import memory

    text = SimpleNamespace(hidden_size=8)
    config = SimpleNamespace(get_text_config=lambda: text)
    monkeypatch.setattr(memory, "config_of", lambda spec: config)
    sizes._sizes.cache_clear()
    sizes._depth.cache_clear()
    with pytest.raises(SondeError, match="does not say num_hidden_layers, vocab_size"):
        sizes_of(tiny, "float32")
    with pytest.raises(SondeError, match="does not say num_hidden_layers"):
        depth_of(tiny)


def examples(*texts):
    return [Example(id=str(number), prompt=text) for number, text in enumerate(texts)]


def test_bytes_are_tokens_of_a_model_without_a_tokenizer():
    found = count_tokens(examples("abc", "déjà"), ModelSpec(name="random:llama"), "none")
    assert found.lengths == (3, 6)
    assert (found.total, found.basis) == (9, "(counted)")


def test_without_a_tokenizer_the_length_of_the_text_decides():
    absent = ModelSpec(name="lab/absent")
    turns = (Message("user", "x" * 42), Message("assistant", "y" * 42))
    given = [Example(id="a", prompt="z" * 42), Example(id="b", prompt=turns, response="w" * 42)]
    plain = count_tokens(given, absent, "none")
    assert plain.lengths == (10, 30)
    assert f"{CHARACTERS_A_TOKEN} characters a token" in plain.basis
    assert count_tokens(given, absent).lengths == (10 + TEMPLATE_TOKENS, 30 + TEMPLATE_TOKENS)


def test_of_many_examples_some_are_counted(monkeypatch):
    monkeypatch.setattr(sizes, "COUNTED", 4)
    given = examples(*("x" * (1 + number % 2) for number in range(10)))
    found = count_tokens(given, ModelSpec(name="random:llama"), "none")
    assert len(found.lengths) == 10
    assert set(found.lengths) <= {1, 2}
    assert "counted on 4 of the examples" in found.basis


def test_a_tokenizer_that_was_missing_is_found_once_it_is_there(tmp_path):
    from sonde.models.tokenizers import byte_tokenizer

    (tmp_path / "config.json").write_text(json.dumps(TINY))
    spec = ModelSpec(name="lab/absent")
    assert tokenizer_at_hand(spec) is None
    folder = ModelSpec(name=str(tmp_path))
    byte_tokenizer(300).save_pretrained(tmp_path)
    assert tokenizer_at_hand(folder) is not None
    assert tokenizer_at_hand(folder) is tokenizer_at_hand(folder)  # read once
