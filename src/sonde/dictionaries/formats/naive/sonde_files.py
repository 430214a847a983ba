"""The forward of sonde's own files, written again from the formulas."""

from typing import Any

import torch
from torch import Tensor

from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.formats.content import Content, Forward, Rows
from sonde.dictionaries.formats.naive.steps import jump_relu, like, top_k
from sonde.dictionaries.sparsity import BatchTopK, Gated, JumpReLU, Sparsity, TopK


def forward(content: Content, rows: Rows) -> Forward:
    """Compute ``target = skip(source) + bias + sum over latents of activation times decoder row``.

    What is encoded is the source, normalised where that is asked, less the bias where centred.
    """
    architecture = Architecture.model_validate(content.settings["architecture"])
    t = like(content.tensors, rows[0])
    scales = [_scale(x, architecture.normalise) for x in rows]
    read = [(x - mean) / (by + extra) for x, (mean, by, extra) in zip(rows, scales, strict=True)]
    if architecture.takes_bias_off:
        read = [x - t[f"bias.{one}"] for one, x in enumerate(read)]
    made = [t[f"bias.{one}"].expand(len(rows[0]), -1) for one in range(len(architecture.outputs))]
    latents: list[Tensor] = []
    for number, reach in enumerate(architecture.reaches):
        block = _inside(t, f"blocks.{number}.")
        x = torch.cat([read[one] for one in reach.sources], dim=1)
        latents.append(_activations(x, block, architecture.sparsity))
        widths = [architecture.widths_out[one] for one in reach.targets]
        written = (latents[-1] @ block["decoder"]).split(widths, dim=1)
        for target, part in zip(reach.targets, written, strict=True):
            made[target] = made[target] + part
    for target in range(len(made)) if architecture.skip else ():
        own = [rows[target]] if architecture.cross_layer else list(rows)
        made[target] = made[target] + torch.cat(own, dim=1) @ t[f"skip.{target}"].T
    if architecture.is_autoencoder:
        made = [one * by + mean for one, (mean, by, _) in zip(made, scales, strict=True)]
    return Forward(torch.cat(latents, dim=1), tuple(made))


def _inside(t: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): one for name, one in t.items() if name.startswith(prefix)}


def _scale(x: Tensor, kind: str) -> tuple[Tensor, Tensor, float]:
    zero = torch.zeros_like(x[:, :1])
    if kind == "layer_norm":
        return x.mean(dim=1, keepdim=True), x.std(dim=1, keepdim=True), 1e-5
    if kind == "constant_norm":
        return zero, x.norm(dim=1, keepdim=True) / x.shape[1] ** 0.5, 0.0
    return zero, zero + 1, 0.0


def _activations(x: Tensor, block: dict[str, Any], sparsity: Sparsity) -> Tensor:
    pre = x @ block["encoder"].T
    if isinstance(sparsity, Gated):
        open_ = pre + block["gate_bias"] > 0
        return open_ * torch.relu(pre * block["log_scale"].exp() + block["bias"])
    pre = pre + block["bias"]
    if isinstance(sparsity, JumpReLU):
        return jump_relu(pre, block["threshold"])
    if not isinstance(sparsity, TopK | BatchTopK):
        return torch.relu(pre)
    score = pre * block["decoder"].norm(dim=1) if sparsity.by_norm else pre
    if isinstance(sparsity, BatchTopK):
        return pre * (score > block["threshold"].clamp(min=0))
    found = top_k(pre, sparsity.k, score)
    return torch.relu(found) if sparsity.relu else found
