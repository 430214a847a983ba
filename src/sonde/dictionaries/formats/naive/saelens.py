"""SAELens' forward."""

import torch
from torch import Tensor

from sonde.dictionaries.formats.content import Content, Forward, Rows
from sonde.dictionaries.formats.naive.steps import jump_relu, like, top_k


def forward(content: Content, rows: Rows) -> Forward:
    """Compute ``f = act(n(x) - b_dec W_enc + b_enc)`` and ``n^-1(f W_dec + b_dec)``.

    ``n`` normalises rows where the settings say so; b_dec is taken off the input of an SAE where
    ``apply_b_dec_to_input`` is set. Transcoders take nothing off and undo no normalisation; their
    skip is ``x W_skip'``, of the rows as they are. With ``rescale_acts_by_decoder_norm``
    activations are multiplied by the norms of decoder rows, and divided again to decode.
    """
    (x,) = rows
    t, settings = like(content.tensors, x), content.settings
    kind = str(settings["architecture"])
    is_transcoder = kind.endswith("transcoder")
    z, mean, scale = _normalised(x, str(settings["normalize_activations"]))
    if settings["apply_b_dec_to_input"] and not is_transcoder:
        z = z - t["b_dec"]
    norms = t["W_dec"].norm(dim=1) if settings.get("rescale_acts_by_decoder_norm") else None
    f = _activations(kind, z, t, settings.get("k"), norms)
    decoded = f if norms is None else f / norms
    made = (decoded * t.get("scaling_factor", 1.0)) @ t["W_dec"] + t["b_dec"]
    if not is_transcoder:
        made = made * scale + mean
    if "W_skip" in t:
        made = made + x @ t["W_skip"].T
    return Forward(f, (made,))


def _normalised(x: Tensor, kind: str) -> tuple[Tensor, Tensor, Tensor]:
    if kind == "layer_norm":
        mean, deviation = x.mean(dim=1, keepdim=True), x.std(dim=1, keepdim=True)
        return (x - mean) / (deviation + 1e-5), mean, deviation
    nothing = torch.zeros_like(x[:, :1])
    if kind == "constant_norm_rescale":
        scale = x.norm(dim=1, keepdim=True) / x.shape[1] ** 0.5
        return x / scale, nothing, scale
    return x, nothing, nothing + 1


def _activations(
    kind: str, z: Tensor, t: dict[str, Tensor], k: int | None, norms: Tensor | None
) -> Tensor:
    if kind == "gated":
        gate = z @ t["W_enc"] + t["b_gate"] > 0
        return gate * torch.relu(z @ (t["W_enc"] * t["r_mag"].exp()) + t["b_mag"])
    p = z @ t["W_enc"] + t["b_enc"]
    if kind == "topk":
        assert k is not None
        return top_k(p if norms is None else p * norms, k).relu()
    if kind.startswith("jumprelu"):
        return jump_relu(p, t["threshold"])
    return torch.relu(p)
