"""Gemma Scope 2: ``config.json`` and ``params.safetensors``; of a CLT one file a layer."""

import re
from pathlib import Path

import torch
from torch import Tensor

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.core.hooks import Site
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.formats.across_layers import Layer, across
from sonde.dictionaries.formats.content import Content, Format, HookPoints, Loaded
from sonde.dictionaries.formats.foreign_hooks import Chosen, Named, chosen, chosen_of_layers
from sonde.dictionaries.formats.naive.gemma_scope_2 import forward
from sonde.dictionaries.formats.safe_files import in_float32, read_safetensors, read_settings
from sonde.dictionaries.formats.shapes import checked, matrix
from sonde.dictionaries.formats.weights import Weights, described, made
from sonde.dictionaries.sparsity import JumpReLU

SETTINGS, PARAMS, SKIP = "config.json", "params.safetensors", "affine_skip_connection"
BY_FOLDER = {
    "resid_post": ("resid_post", None),
    "attn_out": ("head_out", None),
    "mlp_out": ("mlp_out", None),
    "transcoder": ("mlp_normed", "mlp_out"),
    "clt": ("mlp_normed", "mlp_out"),
}
# Gemma 3's norms: in other families modules of these names lie elsewhere.
NORMS = {
    "pre_feedforward_layernorm.output": Site.MLP_NORMED,
    "post_feedforward_layernorm.output": Site.MLP_OUT,
    "post_attention_layernorm.output": Site.ATTN_OUT,
}
_LAYER = re.compile(r"layer_(\d+)")


def _load(path: Path, where: str) -> Content:
    settings = read_settings(path / SETTINGS) if (path / SETTINGS).is_file() else {}
    files = _layers(path)
    if not files:
        tensors, notes = in_float32(read_safetensors(path / PARAMS))
        return Content(where, settings, tensors, notes)
    if sorted(files) != list(range(len(files))):
        raise SondeError(
            f"{where} holds layers {', '.join(map(str, sorted(files)))}.",
            fix="A cross-layer transcoder is whole or not at all: fetch every layer from 0 on.",
        )
    parts = {i: read_safetensors(files[i]) for i in sorted(files)}
    given = {f"{i}.{name}": one for i, part in parts.items() for name, one in part.items()}
    tensors, notes = in_float32(given)
    return Content(where, {**settings, "layers": len(files)}, tensors, notes)


def _read(content: Content, given: HookPoints) -> Loaded:
    kind = content.settings.get("architecture", "jump_relu")
    if kind != "jump_relu":
        raise SondeError(f"{content.where} has the architecture {kind!r}; sonde reads jump_relu.")
    is_clt = "layers" in content.settings
    hooks = _clt_hooks(content, given) if is_clt else _single_hooks(content, given)
    found = _clt(content, hooks) if is_clt else _single(content, hooks)
    model = str(content.settings.get("model_name") or "")
    model = model.replace("-v3", "-3")
    if model and "/" not in model:
        model = f"google/{model}"
    origin = Origin(model=model, hooks=hooks.every)
    return Loaded(found, origin, content.notes).noting(*hooks.notes)


def _single_hooks(content: Content, given: HookPoints) -> Chosen:
    writes_elsewhere = matrix(content, "w_enc")[0] != matrix(content, "w_dec")[1]
    kind = "transcoder" if writes_elsewhere or SKIP in content.tensors else ""
    return chosen(content, given, _named(content), kind, NORMS)


def _clt_hooks(content: Content, given: HookPoints) -> Chosen:
    def named(layer: int) -> Named:
        return f"blocks.{layer}.{Site.MLP_NORMED}", f"blocks.{layer}.{Site.MLP_OUT}"

    return chosen_of_layers(content, given, int(content.settings["layers"]), named)


def _single(content: Content, hooks: Chosen) -> Dictionary:
    d_in, d_sae = matrix(content, "w_enc")
    d_out = matrix(content, "w_dec")[1]
    t = content.tensors
    needed: dict[str, tuple[int, ...]] = {
        "w_enc": (d_in, d_sae),
        "w_dec": (d_sae, d_out),
        "b_enc": (d_sae,),
        "b_dec": (d_out,),
        "threshold": (d_sae,),
    }
    checked(content, needed, {SKIP: (d_in, d_out)})
    architecture = described(
        content,
        hooks,
        d_in=d_in,
        d_out=d_out,
        d_sae=d_sae,
        sparsity=JumpReLU(),
        skip=SKIP in t,
        centred=None if hooks.targets else False,
    )
    return made(
        architecture,
        Weights(
            encoder=t["w_enc"].T,
            bias=t["b_enc"],
            decoder=t["w_dec"],
            out_bias=t["b_dec"],
            threshold=t["threshold"],
            skip=t[SKIP].T if SKIP in t else None,
        ),
    )


def _clt(content: Content, hooks: Chosen) -> Dictionary:
    t, n = content.tensors, int(content.settings["layers"])
    d, d_sae = matrix(content, "0.w_enc")
    one: dict[str, tuple[int, ...]] = {
        "w_enc": (d, d_sae),
        "w_dec": (d_sae, n, d),
        "b_enc": (d_sae,),
        "b_dec": (d,),
        "threshold": (d_sae,),
    }
    needed = {f"{i}.{name}": shape for i in range(n) for name, shape in one.items()}
    checked(content, needed, {f"{i}.{SKIP}": (d, d) for i in range(n)})
    layers = [
        Layer(
            encoder=t[f"{i}.w_enc"].T,
            bias=t[f"{i}.b_enc"],
            decoder=t[f"{i}.w_dec"][:, i:],
            out_bias=t[f"{i}.b_dec"],
            threshold=t[f"{i}.threshold"],
            skip=_transposed(t.get(f"{i}.{SKIP}")),
        )
        for i in range(n)
    ]
    before = torch.stack([t[f"{i}.w_dec"][:, :i].abs().sum() for i in range(n)])
    if bool(before.any()):
        raise SondeError(
            f"{content.where}: latents of layer {int(before.argmax())} write into layers before it."
        )
    return across(content, hooks, layers)


def _transposed(one: Tensor | None) -> Tensor | None:
    return None if one is None else one.T


def _named(content: Content) -> Named:
    """Return the hook points: those of the settings, else what the folder is called after."""
    settings = content.settings
    source, target = settings.get("hf_hook_point_in"), settings.get("hf_hook_point_out")
    if source:
        return source, target
    layer = _LAYER.search(content.where)
    kind = next((kind for kind in BY_FOLDER if kind in content.where), None)
    if layer is None or kind is None:
        return None, None
    site, out = BY_FOLDER[kind]
    return f"blocks.{layer[1]}.{site}", f"blocks.{layer[1]}.{out}" if out else None


def _layers(path: Path) -> dict[int, Path]:
    """Return the files of a cross-layer transcoder by their layer."""
    found = {int(m[1]): one for one in path.glob("*.safetensors") if (m := _LAYER.search(one.name))}
    return found if (path / SETTINGS).is_file() or "clt" in path.parts else {}


def _finds(path: Path) -> bool:
    if not path.is_dir():
        return False
    return (path / PARAMS).is_file() or len(_layers(path)) > 1


GEMMA_SCOPE_2 = Format("gemma-scope-2", "Gemma Scope 2", _finds, _load, _read, forward)
