"""Llama Scope's forward, as its own library loads and runs the published files."""

import torch

from sonde.dictionaries.formats.content import Content, Forward, Rows
from sonde.dictionaries.formats.naive.steps import like, top_k


def forward(content: Content, rows: Rows) -> Forward:
    """Compute ``f = p where p > threshold`` of ``p = n (x W' + b / s_in)``, and decode.

    ``s = sqrt(d) / mean norm`` scaled rows while training. It is folded, so that latents are on the
    scale of raw rows: ``W_dec s_in / s_out`` decodes, and with ``sparsity_include_decoder_norm``
    its rows are brought to unit length, their norms n moving into the encoder. The one threshold
    is that of these latents (He et al. 2024, and ``lm_saes`` of November 2024).
    """
    (x,) = rows
    t, settings = like(content.tensors, x), content.settings
    s_in, s_out = 1.0, 1.0
    if settings["norm_activation"] == "dataset-wise":
        mean = settings["dataset_average_activation_norm"]
        s_in, s_out = (x.shape[1] ** 0.5 / mean[side] for side in ("in", "out"))
    decoder = t["decoder.weight"].T * (s_in / s_out)
    bias = t["decoder.bias"] / s_out if "decoder.bias" in t else torch.zeros_like(decoder[0])
    norms = torch.ones_like(decoder[:, 0])
    if settings["sparsity_include_decoder_norm"]:
        norms = decoder.norm(dim=1)
    z = x - bias if settings.get("apply_decoder_bias_to_pre_encoder") else x
    p = (z @ t["encoder.weight"].T + t["encoder.bias"] / s_in) * norms
    threshold = float(settings["jump_relu_threshold"])
    if str(settings["act_fn"]).lower() == "topk" and threshold <= 0:
        f = top_k(torch.relu(p), int(settings["top_k"]))
    else:
        f = torch.where(p > threshold, p, 0.0)
    return Forward(f, (f @ (decoder / norms[:, None]) + bias,))
