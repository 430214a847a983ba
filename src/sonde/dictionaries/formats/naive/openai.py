"""OpenAI's forward, of the dictionaries of GPT-2 small."""

import torch

from sonde.dictionaries.formats.content import Content, Forward, Rows
from sonde.dictionaries.formats.naive.steps import like, top_k


def forward(content: Content, rows: Rows) -> Forward:
    """Compute ``f = act((n(x) - pre_bias) W' + latent_bias)``, ``n^-1(f W_dec' + pre_bias)``.

    Where the activation is TopK, ``n`` takes a row's mean off and divides by its deviation plus
    1e-5; what is decoded is multiplied by the deviation and the mean is added (Gao et al. 2024).
    """
    (x,) = rows
    t, settings = like(content.tensors, x), content.settings
    is_topk = settings["activation"] == "TopK"
    mean, deviation = torch.zeros_like(x[:, :1]), torch.ones_like(x[:, :1])
    z = x
    if is_topk:
        mean = x.mean(dim=1, keepdim=True)
        deviation = (x - mean).std(dim=1, keepdim=True)
        z = (x - mean) / (deviation + 1e-5)
    p = (z - t["pre_bias"]) @ t["encoder.weight"].T + t["latent_bias"]
    if is_topk:
        p = top_k(p, int(settings["activation_state_dict"]["k"]))
    signed = is_topk and settings["activation_state_dict"]["postact_fn"] == "Identity"
    f = p if signed else torch.relu(p)
    return Forward(f, ((f @ t["decoder.weight"].T + t["pre_bias"]) * deviation + mean,))
