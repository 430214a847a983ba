"""Llama Scope: a folder with ``hyperparams.json`` and ``checkpoints/final.safetensors``."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.dictionaries.formats.content import Content, Format, HookPoints, Loaded
from sonde.dictionaries.formats.foreign_hooks import chosen
from sonde.dictionaries.formats.naive.llama_scope import forward
from sonde.dictionaries.formats.safe_files import in_float32, read_safetensors, read_settings
from sonde.dictionaries.formats.shapes import as_number, checked, matrix
from sonde.dictionaries.formats.weights import Weights, described, made, rescaled
from sonde.dictionaries.sparsity import JumpReLU, ReLU, Sparsity, TopK

SETTINGS, WEIGHTS = "hyperparams.json", Path("checkpoints") / "final.safetensors"
DEFAULTS: dict[str, Any] = {
    "act_fn": "relu",
    "jump_relu_threshold": 0.0,
    "norm_activation": "none",
    "sparsity_include_decoder_norm": True,
    "apply_decoder_bias_to_pre_encoder": False,
}
SCALED = ("dataset-wise", "none", "inference")


def _load(path: Path, where: str) -> Content:
    settings = {**DEFAULTS, **read_settings(path / SETTINGS)}
    if settings.get("use_glu_encoder"):
        raise SondeError(f"{where} has a gated linear encoder (use_glu_encoder), sonde has none.")
    if settings["norm_activation"] not in SCALED:
        raise SondeError(
            f"{where}: norm_activation is {settings['norm_activation']!r}; sonde knows "
            f"{', '.join(SCALED)}."
        )
    means = settings.get("dataset_average_activation_norm")
    if settings["norm_activation"] == "dataset-wise" and not isinstance(means, dict):
        raise SondeError(f"{where} has no dataset_average_activation_norm to scale rows by.")
    tensors, notes = in_float32(read_safetensors(path / WEIGHTS))
    return Content(where, settings, tensors, notes)


def _read(content: Content, given: HookPoints) -> Loaded:
    settings, t = content.settings, content.tensors
    d_sae, d = matrix(content, "encoder.weight")
    d_out = matrix(content, "decoder.weight")[0]
    needed: dict[str, tuple[int, ...]] = {
        "encoder.weight": (d_sae, d),
        "encoder.bias": (d_sae,),
        "decoder.weight": (d_out, d_sae),
    }
    checked(content, needed, {"decoder.bias": (d_out,)})
    named = settings.get("hook_point_in"), settings.get("hook_point_out")
    hooks = chosen(content, given, named, "transcoder" if d_out != d else "")
    s_in, s_out = _scales(settings, d)
    decoder = t["decoder.weight"].T.double() * (s_in / s_out)
    weights = Weights(
        encoder=t["encoder.weight"],
        bias=(t["encoder.bias"].double() / s_in).float(),
        decoder=decoder.float(),
        out_bias=_divided(t.get("decoder.bias"), s_out, d_out),
    )
    if settings["sparsity_include_decoder_norm"]:
        weights = rescaled(weights, decoder.norm(dim=1))
    sparsity = _sparsity(content)
    if isinstance(sparsity, JumpReLU):
        threshold = torch.full((d_sae,), float(settings["jump_relu_threshold"]))
        weights = replace(weights, threshold=threshold)
    architecture = described(
        content,
        hooks,
        d_in=d,
        d_out=d_out,
        d_sae=d_sae,
        sparsity=sparsity,
        centred=None if hooks.targets else bool(settings["apply_decoder_bias_to_pre_encoder"]),
    )
    origin = Origin(model="meta-llama/Llama-3.1-8B", hooks=hooks.every)
    note = (
        "Scales of training and decoder norms are folded in: latents are those of raw rows. "
        "SAELens' loader gives them on the scale of training."
    )
    return Loaded(made(architecture, weights), origin, content.notes).noting(*hooks.notes, note)


def _scales(settings: dict[str, Any], d: int) -> tuple[float, float]:
    if settings["norm_activation"] != "dataset-wise":
        return 1.0, 1.0
    means = settings["dataset_average_activation_norm"]
    return d**0.5 / float(means["in"]), d**0.5 / float(means["out"])


def _divided(bias: torch.Tensor | None, scale: float, width: int) -> torch.Tensor:
    return torch.zeros(width) if bias is None else (bias.double() / scale).float()


def _sparsity(content: Content) -> Sparsity:
    settings = content.settings
    kind = str(settings["act_fn"]).lower()
    if kind == "jumprelu" or (kind == "topk" and settings["jump_relu_threshold"] > 0):
        return JumpReLU()
    if kind == "topk":
        return TopK(k=as_number(content, "top_k"))
    if kind == "relu":
        return ReLU()
    raise SondeError(f"{content.where}: act_fn is {kind!r}; sonde knows jumprelu, topk and relu.")


def _finds(path: Path) -> bool:
    return (path / SETTINGS).is_file() and (path / WEIGHTS).is_file()


LLAMA_SCOPE = Format("llama-scope", "Llama Scope", _finds, _load, _read, forward)
