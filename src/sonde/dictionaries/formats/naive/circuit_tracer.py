"""circuit-tracer's forward: transcoders of one layer, and cross-layer transcoders."""

import torch
from torch import Tensor

from sonde.dictionaries.formats.content import Content, Forward, Rows
from sonde.dictionaries.formats.naive.steps import like, top_k


def forward(content: Content, rows: Rows) -> Forward:
    """Compute ``f = act(x W_enc' + b_enc)`` and ``f W_dec + b_dec (+ x W_skip')``.

    Nothing is taken off. TopK keeps the k largest, also those below 0; a threshold keeps p itself
    above it. Of a cross-layer transcoder layer i writes into layers i, i + 1, ... in this order.
    """
    if content.settings["model_kind"] == "cross_layer_transcoder":
        return _across(content, rows)
    (x,) = rows
    t = like(content.tensors, x)
    p = x @ t["W_enc"].T + t["b_enc"]
    f = _active(p, content.settings, t.get("activation_function.threshold"))
    made = f @ t["W_dec"] + t["b_dec"]
    return Forward(f, (made + x @ t["W_skip"].T if "W_skip" in t else made,))


def _active(p: Tensor, settings: dict[str, object], threshold: Tensor | None) -> Tensor:
    if settings.get("activation") == "topk":
        return top_k(p, int(str(settings["k"])))
    if settings.get("activation") != "relu" and threshold is not None:
        return p * (p > threshold)
    return torch.relu(p)


def _across(content: Content, rows: Rows) -> Forward:
    t = like(content.tensors, rows[0])
    made = [t[f"b_dec_{i}"].expand_as(x) for i, x in enumerate(rows)]
    latents: list[Tensor] = []
    for i, x in enumerate(rows):
        p = x @ t[f"W_enc_{i}"].T + t[f"b_enc_{i}"]
        f = _active(p, {}, t.get(f"threshold_{i}"))
        for step in range(len(rows) - i):
            made[i + step] = made[i + step] + f @ t[f"W_dec_{i}"][:, step]
        latents.append(f)
    return Forward(torch.cat(latents, dim=1), tuple(made))
