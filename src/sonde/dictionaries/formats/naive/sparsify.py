"""sparsify's forward."""

import torch

from sonde.dictionaries.formats.content import Content, Forward, Rows
from sonde.dictionaries.formats.naive.steps import like, top_k


def forward(content: Content, rows: Rows) -> Forward:
    """Compute ``f = topk(relu((x - b_dec) W' + b))`` and ``f W_dec + b_dec (+ x W_skip')``.

    A transcoder takes no b_dec off; an SAE always does, whatever else is set.
    """
    (x,) = rows
    t, settings = like(content.tensors, x), content.settings
    z = x if settings.get("transcode") else x - t["b_dec"]
    p = torch.relu(z @ t["encoder.weight"].T + t["encoder.bias"])
    f = top_k(p, int(settings["k"]))
    made = f @ t["W_dec"] + t["b_dec"]
    if settings.get("skip_connection"):
        made = made + x @ t["W_skip"].T
    return Forward(f, (made,))
