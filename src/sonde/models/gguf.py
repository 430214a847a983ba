"""GGUF files: their configuration and their weights, as transformers names and lays them out.

One entry a llama.cpp architecture says which configuration it becomes. What cannot be read exactly
is refused, because a wrongly read file gives activations that look right and are not.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sonde.core.errors import SondeError

Metadata = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GgufFile:
    """An opened GGUF: metadata with arrays as lists, tensors still packed on disk."""

    path: Path
    metadata: Metadata
    tensors: dict[str, Any]  # name -> gguf.ReaderTensor

    @property
    def architecture(self) -> str:
        """llama.cpp's name of the architecture, such as ``llama``."""
        return str(self.metadata.get("general.architecture", ""))


@dataclass(frozen=True, slots=True)
class _Architecture:
    """How one llama.cpp architecture becomes a transformers configuration."""

    model_type: str
    config: Callable[[GgufFile], dict[str, Any]]
    interleaved_rope: bool  # llama.cpp reorders the rows of q and k for its own rotary layout


def read_gguf(path: Path) -> GgufFile:
    """Open a GGUF file.

    Raises:
        SondeError: the file is not GGUF, is cut short, or has an architecture that is not known.
    """
    import gguf

    try:
        reader = gguf.GGUFReader(path)
        metadata = {name: field.contents() for name, field in reader.fields.items()}
    except FileNotFoundError:
        raise SondeError(f"{path} does not exist.") from None
    except (ValueError, IndexError, KeyError) as error:
        raise SondeError(
            f"{path} cannot be read as GGUF: {error}.",
            fix="The file may be cut short or of another format; fetch it again.",
        ) from None
    file = GgufFile(path, metadata, {tensor.name: tensor for tensor in reader.tensors})
    if file.architecture not in ARCHITECTURES:
        raise SondeError(
            f"{path} holds a model of the architecture {file.architecture!r}, which sonde does not "
            "read from GGUF.",
            fix=f"GGUF is read for {', '.join(ARCHITECTURES)}; load the safetensors folder or the "
            "hub id of this model instead.",
        )
    return file


def gguf_config(file: GgufFile) -> Any:
    """Return the transformers configuration of a GGUF file.

    Raises:
        SondeError: something that changes what the model computes cannot be carried over.
    """
    from transformers import AutoConfig

    entry = ARCHITECTURES[file.architecture]
    return AutoConfig.for_model(entry.model_type, **_shared(file), **entry.config(file))


def gguf_weights(file: GgufFile) -> Iterator[tuple[str, Float[Tensor, "..."]]]:
    """Yield each weight under its transformers name, dequantised to float32.

    llama.cpp's conversion of llama models puts each head's rotary pairs next to each other; the
    rows of q and k are put back into transformers' two halves.

    Raises:
        SondeError: a tensor has a packing or a name that is not known.
    """
    from gguf.quants import dequantize

    entry = ARCHITECTURES[file.architecture]
    heads = {
        "attn_q": _need(file, "attention.head_count"),
        "attn_k": _optional(file, "attention.head_count_kv", _need(file, "attention.head_count")),
    }
    for name, tensor in file.tensors.items():
        if name == ROPE_FACTORS:
            continue  # carried by the configuration
        target = _transformers_name(name, file.path)
        try:
            values = dequantize(tensor.data, tensor.tensor_type)
        except NotImplementedError:
            raise SondeError(
                f"{file.path}: {name} is packed as {tensor.tensor_type.name}, which the gguf "
                "library cannot unpack.",
                fix="Use a file with another quantisation, such as Q8_0 or Q4_K_M.",
            ) from None
        part = name.split(".")[2] if name.startswith("blk.") else ""
        if entry.interleaved_rope and part in heads:
            values = _separate_rotary_halves(values, heads[part])
        yield target, torch.from_numpy(np.array(values, dtype=np.float32))  # a copy off the file


@torch.no_grad()
def gguf_model(file: GgufFile, config: Any, *, dtype: torch.dtype, device: torch.device) -> Any:
    """Build the model of a GGUF file, one dequantised tensor at a time.

    Raises:
        SondeError: the file lacks weights that the model has, or holds others.
    """
    from sonde.models.checkpoint import build_empty

    hf = build_empty(config, dtype=dtype, device=device)
    missing = dict(hf.named_parameters())  # a tied head is listed once, as the embeddings
    for name, values in gguf_weights(file):
        target = missing.pop(name, None)
        if target is None or target.shape != values.shape:
            raise SondeError(
                f"{file.path} holds {name} {list(values.shape)}, for which the model has no place.",
                fix="Load the safetensors folder or the hub id of this model instead.",
            )
        target.copy_(values)
    if missing:
        raise SondeError(
            f"{file.path} lacks {len(missing)} of the model's weights, such as {min(missing)}.",
            fix="The file may be one part of several; merge them first.",
        )
    return hf.requires_grad_(False).eval()


def _separate_rotary_halves(rows: np.ndarray, n_heads: int) -> np.ndarray:
    """Undo llama.cpp's interleaving: in each head, rows 0 2 4 … then rows 1 3 5 …."""
    pairs = rows.reshape(n_heads, rows.shape[0] // n_heads // 2, 2, *rows.shape[1:])
    return pairs.swapaxes(1, 2).reshape(rows.shape)


ROPE_FACTORS = "rope_freqs.weight"
_OUTER = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_INNER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def _transformers_name(name: str, path: Path) -> str:
    match = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)", name)
    layer, part, kind = match.groups() if match else (None, "", "")
    table = _OUTER if layer is None else _INNER
    if part not in table:
        raise SondeError(
            f"{path} holds a tensor {name!r} that sonde does not know.",
            fix="Load the safetensors folder or the hub id of this model instead.",
        )
    prefix = "" if layer is None else f"model.layers.{layer}."
    return f"{prefix}{table[part]}.{kind}"


def _shared(file: GgufFile) -> dict[str, Any]:
    """Return the settings that the architectures have in common."""
    metadata = file.metadata
    heads = _need(file, "attention.head_count")
    width = _need(file, "embedding_length")
    if _optional(file, "expert_count", 0):
        raise SondeError(
            f"{file.path} holds a mixture of experts, which sonde does not read from GGUF.",
            fix="Load the safetensors folder or the hub id of this model instead.",
        )
    return {
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "hidden_size": width,
        "intermediate_size": _need(file, "feed_forward_length"),
        "num_hidden_layers": _need(file, "block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": _optional(file, "attention.head_count_kv", heads),
        "head_dim": _optional(file, "attention.key_length", width // heads),
        "max_position_embeddings": _need(file, "context_length"),
        "rms_norm_eps": _decimal(_need(file, "attention.layer_norm_rms_epsilon")),
        "rope_parameters": _rope(file),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "bos_token_id": metadata.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": metadata.get("tokenizer.ggml.eos_token_id"),
        "pad_token_id": metadata.get("tokenizer.ggml.padding_token_id"),
    }


def _llama(file: GgufFile) -> dict[str, Any]:
    biases = {
        "attention_bias": "blk.0.attn_q.bias" in file.tensors,
        "mlp_bias": "blk.0.ffn_gate.bias" in file.tensors,
    }
    return {"architectures": ["LlamaForCausalLM"], **biases}


def _qwen2(file: GgufFile) -> dict[str, Any]:
    return {"architectures": ["Qwen2ForCausalLM"], "use_sliding_window": False}


def _qwen3(file: GgufFile) -> dict[str, Any]:
    return {"architectures": ["Qwen3ForCausalLM"], "attention_bias": False}


ARCHITECTURES = {
    "llama": _Architecture("llama", _llama, interleaved_rope=True),
    "qwen2": _Architecture("qwen2", _qwen2, interleaved_rope=False),
    "qwen3": _Architecture("qwen3", _qwen3, interleaved_rope=False),
}


def _rope(file: GgufFile) -> dict[str, Any]:
    theta = _decimal(_optional(file, "rope.freq_base", 10000.0))
    kind = _optional(file, "rope.scaling.type", "none")
    if ROPE_FACTORS in file.tensors:
        return {"rope_theta": theta, **_llama3_scaling(file, theta)}
    if kind == "none":
        return {"rope_type": "default", "rope_theta": theta}
    if kind == "linear":
        factor = _decimal(_need(file, "rope.scaling.factor"))
        return {"rope_type": "linear", "rope_theta": theta, "factor": factor}
    raise SondeError(
        f"{file.path} scales its rotary positions by {kind!r}, which sonde does not read from "
        "GGUF.",
        fix="Load the safetensors folder or the hub id of this model instead.",
    )


def _llama3_scaling(file: GgufFile, theta: float) -> dict[str, Any]:
    """Find the published Llama 3 scaling whose factors are those stored in the file.

    GGUF keeps the resulting factor of each frequency, transformers the rule behind them.
    """
    stored = np.asarray(file.tensors[ROPE_FACTORS].data, dtype=np.float64)
    frequencies = theta ** -(np.arange(len(stored)) / len(stored))
    for factor in (8.0, 32.0):
        rule = {
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        }
        turns = 8192 * frequencies / (2 * math.pi)
        smooth = np.clip((turns - 1.0) / (4.0 - 1.0), 0.0, 1.0)
        factors = 1.0 / ((1 - smooth) / factor + smooth)
        if np.allclose(stored, factors, rtol=1e-4):
            return rule
    raise SondeError(
        f"{file.path} stores rotary factors that no published Llama 3 scaling gives.",
        fix="Load the safetensors folder or the hub id of this model instead.",
    )


def _need(file: GgufFile, key: str) -> Any:
    name = f"{file.architecture}.{key}"
    if name not in file.metadata:
        raise SondeError(f"{file.path} lacks the metadata {name!r}, so it cannot be loaded.")
    return file.metadata[name]


def _optional(file: GgufFile, key: str, default: Any) -> Any:
    return file.metadata.get(f"{file.architecture}.{key}", default)


def _decimal(value: float) -> float:
    """Return the shortest decimal that is this float32: 1e-05, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))
