"""Write GGUF files for the tests: tiny models, and a packed file unpacked to float32."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.quants import dequantize

# The other way round from what sonde reads: transformers' names to llama.cpp's.
NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def interleave(rows: np.ndarray, n_heads: int) -> np.ndarray:
    """Order the rows of q or k as llama.cpp's converter does for llama models."""
    halves = rows.reshape(n_heads, 2, rows.shape[0] // n_heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def write_tiny(path: Path, hf: Any, architecture: str) -> None:
    """Write a tiny llama, qwen2 or qwen3 model of transformers in float32."""
    config = hf.config
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    _add_byte_vocabulary(writer, config.vocab_size)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, parameter in hf.named_parameters():
        values = parameter.detach().float().numpy()
        module, kind = name.rsplit(".", 1)
        if architecture == "llama" and module.rsplit(".", 1)[-1] in heads:
            values = interleave(values, heads[module.rsplit(".", 1)[-1]])
        writer.add_tensor(_gguf_name(module, kind), np.ascontiguousarray(values))
    _write(writer)


def _gguf_name(module: str, kind: str) -> str:
    if not module.startswith("model.layers."):
        return f"{NAMES[module]}.{kind}"
    _, _, layer, inner = module.split(".", 3)
    return f"blk.{layer}.{NAMES[inner]}.{kind}"


def _add_byte_vocabulary(writer: gguf.GGUFWriter, size: int) -> None:
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, "ab", "<|end|>"]
    tokens += [f"<|unused{number}|>" for number in range(size - len(tokens))]
    types = [1] * (len(letters) + 1) + [3] * (size - len(letters) - 1)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(257)
    writer.add_add_bos_token(False)


def write_unpacked(packed: Path, path: Path) -> None:
    """Copy a GGUF file with every tensor unpacked to float32."""
    reader = gguf.GGUFReader(packed)
    writer = gguf.GGUFWriter(str(path), reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        kind, *inside = field.types
        writer.add_key_value(field.name, field.contents(), kind, inside[-1] if inside else None)
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.add_tensor(tensor.name, np.ascontiguousarray(values))
    _write(writer)


def _write(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
