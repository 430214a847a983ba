"""Packed linear layers compute what plain ones do, and only while asked to."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from sonde.models.packed import WORTH, packed
from sonde.models.tiny import tiny_model


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")
@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2"])  # without biases, with, and Conv1D
def test_packed_layers_compute_the_same(family: str) -> None:
    model = tiny_model(family)
    ids = torch.tensor([list(b"some text"), list(b"other one")])
    found = packed(model, WORTH)
    assert any(layer is model.hf.get_output_embeddings() for layer, _ in found.layers)
    with torch.no_grad():
        want = model.hf(input_ids=ids, use_cache=False).logits
        with pytest.raises(KeyError), found.applied():
            assert all("forward" in layer.__dict__ for layer, _ in found.layers)
            assert_close(model.hf(input_ids=ids, use_cache=False).logits, want)
            raise KeyError
    assert not any("forward" in module.__dict__ for module in model.hf.modules())


def test_what_is_left_as_it_is() -> None:
    model = tiny_model("llama")
    assert packed(model, WORTH - 1).layers == ()
    model.hf.to(torch.bfloat16)
    assert packed(model, WORTH).layers == ()
    model.hf.to(torch.float32)
    own = model.blocks[0].mlp.up_proj
    own.forward = lambda x: nn.functional.linear(x, own.weight)  # another library's hook
    assert all(layer is not own for layer, _ in packed(model, WORTH).layers)
