"""GGUF: tiny models written the way llama.cpp's converter does come back as they were."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.peers.gguf_files import interleave, write_tiny

from sonde.core.errors import SondeError
from sonde.models.gguf import (
    GgufFile,
    _separate_rotary_halves,
    gguf_config,
    gguf_model,
    gguf_weights,
    read_gguf,
)
from sonde.models.tiny import tiny_hf

CPU = torch.device("cpu")


def tiny_file(folder, architecture, **changes):
    hf = tiny_hf(architecture, **changes)
    path = folder / f"{architecture}.gguf"
    write_tiny(path, hf, architecture)
    return hf, path


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("llama", {"head_dim": 8}),
        ("llama", {"head_dim": 8, "attention_bias": True, "tie_word_embeddings": True}),
        ("qwen2", {"head_dim": 8}),
        ("qwen3", {"head_dim": 12}),
    ],
)
def test_a_written_model_is_read_back_exactly(architecture, changes, tmp_path):
    original, path = tiny_file(tmp_path, architecture, **changes)
    file = read_gguf(path)
    read = gguf_model(file, gguf_config(file), dtype=torch.float32, device=CPU)
    for (name, before), (same_name, after) in zip(
        original.named_parameters(), read.named_parameters(), strict=True
    ):
        assert name == same_name
        assert torch.equal(before, after), name
    ids = torch.arange(24)[None]
    torch.testing.assert_close(read(ids).logits, original(ids).logits, rtol=0, atol=0)


def test_q4_1_block_by_hand(tmp_path):
    """A block of 32 weights: scale 0.5, minimum -2, codes 0..15 in low and 15..0 in high bits."""
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    codes = np.arange(16, dtype=np.uint8) | (np.arange(15, -1, -1, dtype=np.uint8) << 4)
    head = np.array([0.5, -2.0], dtype=np.float16).view(np.uint8)
    block = np.concatenate([head, codes])[None]
    expected = [0.5 * code - 2 for code in [*range(16), *range(15, -1, -1)]]
    assert dequantize(block, GGMLQuantizationType.Q4_1)[0].tolist() == expected


def test_rotary_halves_by_hand():
    """Two heads of four rows: llama.cpp stores 0 2 1 3, so reading gives 0 1 2 3."""
    stored = np.array([[0], [2], [1], [3], [10], [12], [11], [13]])
    assert _separate_rotary_halves(stored, 2)[:, 0].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 3))
def test_interleaving_and_separating_undo_each_other(heads, half, width):
    rows = np.arange(heads * half * 2 * width).reshape(heads * half * 2, width)
    assert (_separate_rotary_halves(interleave(rows, heads), heads) == rows).all()


def metadata(**changes):
    known = {
        "general.architecture": "llama",
        "llama.attention.head_count": 4,
        "llama.embedding_length": 32,
        "llama.feed_forward_length": 48,
        "llama.block_count": 1,
        "llama.context_length": 64,
        "llama.attention.layer_norm_rms_epsilon": float(np.float32(1e-5)),
        "tokenizer.ggml.tokens": ["a", "b"],
    }
    return known | changes


def opened(tmp_path, tensors=None, **changes):
    return GgufFile(tmp_path / "x.gguf", metadata(**changes), tensors or {})


def test_float32_numbers_come_back_as_the_decimals_that_were_meant(tmp_path):
    assert gguf_config(opened(tmp_path)).rms_norm_eps == 1e-05


class Factors:
    def __init__(self, data):
        self.data = data


@pytest.mark.parametrize("factor", [8.0, 32.0])
def test_llama3_scaling_is_recovered_from_its_factors(tmp_path, factor):
    """Against transformers' own rule, which computes the frequencies from the settings."""
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rule = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    config = LlamaConfig(head_dim=64, rope_parameters=rule, max_position_embeddings=131072)
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 500000.0 ** -(np.arange(32) / 32)
    stored = Factors((plain / scaled.double().numpy()).astype(np.float32))
    file = opened(tmp_path, {"rope_freqs.weight": stored}, **{"llama.rope.freq_base": 500000.0})
    assert gguf_config(file).rope_parameters == rule


def test_unknown_rotary_factors_are_refused(tmp_path):
    file = opened(tmp_path, {"rope_freqs.weight": Factors(np.full(4, 1.7, np.float32))})
    with pytest.raises(SondeError, match=r"no published Llama 3 scaling"):
        gguf_config(file)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"llama.expert_count": 8}, "mixture of experts"),
        ({"llama.rope.scaling.type": "yarn"}, "'yarn'"),
    ],
)
def test_what_cannot_be_carried_over_is_refused(tmp_path, changes, words):
    with pytest.raises(SondeError, match=words):
        gguf_config(opened(tmp_path, **changes))


def test_files_that_are_not_gguf_or_cut_short_are_refused(tmp_path):
    nothing = tmp_path / "nothing.gguf"
    nothing.write_bytes(b"not a model at all, only some words of text")
    with pytest.raises(SondeError, match=r"cannot be read as GGUF"):
        read_gguf(nothing)
    _, path = tiny_file(tmp_path, "llama", head_dim=8)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SondeError, match=r"cut short"):
        read_gguf(path)


def test_an_unknown_architecture_is_refused_by_name(tmp_path):
    import gguf

    writer = gguf.GGUFWriter(str(tmp_path / "m.gguf"), "mamba")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(SondeError, match=r"'mamba'"):
        read_gguf(tmp_path / "m.gguf")


def test_missing_and_unknown_weights_are_refused(tmp_path):
    _, path = tiny_file(tmp_path, "llama", head_dim=8)
    file = read_gguf(path)
    config = gguf_config(file)
    part = {name: item for name, item in file.tensors.items() if "blk.2.ffn_up" not in name}
    with pytest.raises(SondeError, match=r"lacks 1 of the model's weights"):
        gguf_model(GgufFile(path, file.metadata, part), config, dtype=torch.float32, device=CPU)
    odd = {"blk.0.ssm_a": file.tensors["blk.0.ffn_up.weight"]}
    with pytest.raises(SondeError, match=r"'blk.0.ssm_a'"):
        list(gguf_weights(GgufFile(path, file.metadata, odd)))
