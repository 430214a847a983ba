"""dictionary_learning's forward, one formula a class."""

from typing import Any

import torch
from torch import Tensor

from sonde.dictionaries.formats.content import Content, Forward, Rows
from sonde.dictionaries.formats.naive.steps import jump_relu, like, top_k


def forward(content: Content, rows: Rows) -> Forward:
    """Compute what ``dict_class`` computes: ``encode``, with its default arguments, and ``decode``.

    ``AutoEncoder``, the gated and the TopK ones take their decoder's bias off the rows;
    ``AutoEncoderNew`` and ``JumpReluAutoEncoder`` do not. BatchTopK has one threshold.
    """
    (x,) = rows
    t, name = like(content.tensors, x), content.settings["trainer"]["dict_class"]
    if name in ("JumpReluAutoEncoder", "MatryoshkaBatchTopKSAE"):
        z = x if name == "JumpReluAutoEncoder" else x - t["b_dec"]
        f = jump_relu(z @ t["W_enc"] + t["b_enc"], t["threshold"])
        return Forward(f, (f @ t["W_dec"] + t["b_dec"],))
    bias = t[{"AutoEncoder": "bias", "AutoEncoderNew": "decoder.bias"}.get(name, _bias(name))]
    z = x if name == "AutoEncoderNew" else x - bias
    f = _activations(name, z, {"k": content.settings["trainer"].get("k"), **t})
    return Forward(f, (f @ t["decoder.weight"].T + bias,))


def _bias(name: str) -> str:
    return "decoder_bias" if name == "GatedAutoEncoder" else "b_dec"


def _activations(name: str, z: Tensor, t: dict[str, Any]) -> Tensor:
    p = z @ t["encoder.weight"].T
    if name == "GatedAutoEncoder":
        gate = p + t["gate_bias"] > 0
        return gate * torch.relu(t["r_mag"].exp() * p + t["mag_bias"])
    p = torch.relu(p + t["encoder.bias"])
    if name == "AutoEncoderTopK":
        return top_k(p, int(t["k"]))
    return p * (p > t["threshold"]) if name == "BatchTopKSAE" else p
