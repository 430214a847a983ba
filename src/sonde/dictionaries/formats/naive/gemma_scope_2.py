"""Gemma Scope 2's forward: SAEs, transcoders and cross-layer transcoders."""

import torch
from torch import Tensor

from sonde.dictionaries.formats.content import Content, Forward, Rows
from sonde.dictionaries.formats.naive.steps import jump_relu, like


def forward(content: Content, rows: Rows) -> Forward:
    """Compute as the first Gemma Scope, with ``x affine_skip_connection`` where there is one.

    Of a cross-layer transcoder layer i's latents are decoded by ``w_dec[:, j]`` into every layer
    j from i on.
    """
    if "layers" in content.settings:
        return _across(content, rows)
    (x,) = rows
    t = like(content.tensors, x)
    f = jump_relu(x @ t["w_enc"] + t["b_enc"], t["threshold"])
    return Forward(f, (f @ t["w_dec"] + t["b_dec"] + _around(x, t, "affine_skip_connection"),))


def _across(content: Content, rows: Rows) -> Forward:
    latents: list[Tensor] = []
    made: list[Tensor] = []
    t = like(content.tensors, rows[0])
    for i, x in enumerate(rows):
        latents.append(jump_relu(x @ t[f"{i}.w_enc"] + t[f"{i}.b_enc"], t[f"{i}.threshold"]))
        written = [f @ t[f"{j}.w_dec"][:, i] for j, f in enumerate(latents)]
        around = _around(x, t, f"{i}.affine_skip_connection")
        made.append(sum(written, torch.zeros_like(x)) + t[f"{i}.b_dec"] + around)
    return Forward(torch.cat(latents, dim=1), tuple(made))


def _around(x: Tensor, t: dict[str, Tensor], name: str) -> Tensor | float:
    return x @ t[name] if name in t else 0.0
