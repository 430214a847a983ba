"""circuit-tracer: ``config.yaml`` with ``layer_<i>.safetensors``, or a CLT in two files a layer."""

import re
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.formats.across_layers import Layer, across
from sonde.dictionaries.formats.content import Content, Format, HookPoints, Loaded
from sonde.dictionaries.formats.foreign_hooks import Chosen, Named, chosen, chosen_of_layers
from sonde.dictionaries.formats.naive.circuit_tracer import forward
from sonde.dictionaries.formats.safe_files import in_float32, read_safetensors, read_settings
from sonde.dictionaries.formats.shapes import as_number, checked, matrix, setting
from sonde.dictionaries.formats.weights import Weights, described, made
from sonde.dictionaries.sparsity import JumpReLU, ReLU, Sparsity, TopK

SETTINGS = "config.yaml"
CLT = "cross_layer_transcoder"
THRESHOLD = "activation_function.threshold"
_LAYER = re.compile(r"layer_(\d+)\.safetensors")


def _load(path: Path, where: str) -> Content:
    if path.is_file():
        settings = _settings(path.parent)
        layer = _LAYER.search(path.name)
        tensors, notes = in_float32(read_safetensors(path))
        found = {**settings, "layer": int(layer[1]) if layer else None}
        if "k" in tensors:
            found |= {"activation": "topk", "k": tensors.pop("k").item()}
        return Content(where, {**found, "model_kind": "transcoder_set"}, tensors, notes)
    numbers = sorted(int(one.stem.rsplit("_", 1)[1]) for one in path.glob("W_enc_*.safetensors"))
    if numbers != list(range(len(numbers))):
        raise SondeError(
            f"{where} holds layers {', '.join(map(str, numbers))}.",
            fix="A cross-layer transcoder is whole or not at all: fetch every layer from 0 on.",
        )
    given: dict[str, Tensor] = {}
    for i in numbers:
        given |= read_safetensors(path / f"W_enc_{i}.safetensors")
        given |= read_safetensors(path / f"W_dec_{i}.safetensors")
    tensors, notes = in_float32(given)
    settings = {**_settings(path), "layers": len(numbers), "model_kind": CLT}
    return Content(where, settings, tensors, notes)


def _settings(folder: Path) -> dict[str, Any]:
    return read_settings(folder / SETTINGS) if (folder / SETTINGS).is_file() else {}


def _read(content: Content, given: HookPoints) -> Loaded:
    settings = content.settings
    if settings["model_kind"] == CLT:
        layers = int(settings["layers"])
        hooks = chosen_of_layers(content, given, layers, partial(_named, content))
        found = _clt(content, hooks)
    else:
        whole = bool(given.sources and given.targets)
        named = (None, None) if whole else _named(content, settings["layer"])
        hooks = chosen(content, given, named, "transcoder")
        found = _single(content, hooks)
    origin = Origin(model=str(settings.get("model_name") or ""), hooks=hooks.every)
    return Loaded(found, origin, content.notes).noting(*hooks.notes)


def _single(content: Content, hooks: Chosen) -> Dictionary:
    t = content.tensors
    d_sae, d = matrix(content, "W_enc")
    d_out = matrix(content, "W_dec")[1]
    needed: dict[str, tuple[int, ...]] = {
        "W_enc": (d_sae, d),
        "W_dec": (d_sae, d_out),
        "b_enc": (d_sae,),
        "b_dec": (d_out,),
    }
    checked(content, needed, {"W_skip": (d_out, d), THRESHOLD: (d_sae,)})
    sparsity = _sparsity(content)
    architecture = described(
        content, hooks, d_in=d, d_out=d_out, d_sae=d_sae, sparsity=sparsity, skip="W_skip" in t
    )
    weights = Weights(
        encoder=t["W_enc"],
        bias=t["b_enc"],
        decoder=t["W_dec"],
        out_bias=t["b_dec"],
        threshold=_not_negative(content, THRESHOLD) if isinstance(sparsity, JumpReLU) else None,
        skip=t.get("W_skip"),
    )
    return made(architecture, weights)


def _sparsity(content: Content) -> Sparsity:
    kind = content.settings.get("activation")
    if kind == "topk":
        return TopK(k=as_number(content, "k"), relu=False)
    if kind not in (None, "relu", "jump_relu", "jumprelu"):
        raise SondeError(f"{content.where}: the activation is {kind!r}; sonde knows relu and topk.")
    return JumpReLU() if THRESHOLD in content.tensors and kind != "relu" else ReLU()


def _not_negative(content: Content, name: str) -> Tensor:
    threshold = content.tensors[name]
    if bool((threshold < 0).any()):
        raise SondeError(
            f"{content.where}: {int((threshold < 0).sum())} thresholds of {name} are negative, "
            "where circuit-tracer keeps activations below 0, and sonde's JumpReLU does not."
        )
    return threshold


def _named(content: Content, layer: int | None) -> Named:
    """Return the hook points of a layer; the settings name their sites."""
    if layer is None:
        raise SondeError(
            f"{content.where} is not called layer_<i>.safetensors, so its layer is not known.",
            fix="Give its hook points: --source blocks.<layer>.<site> --target "
            "blocks.<layer>.<site>.",
        )
    source, target = (str(setting(content, f"feature_{way}_hook")) for way in ("input", "output"))
    return f"blocks.{layer}.{source}", f"blocks.{layer}.{target}"


def _clt(content: Content, hooks: Chosen) -> Dictionary:
    t, n = content.tensors, int(content.settings["layers"])
    d_sae, d = matrix(content, "W_enc_0")
    needed: dict[str, tuple[int, ...]] = {}
    for i in range(n):
        needed |= {
            f"W_enc_{i}": (d_sae, d),
            f"W_dec_{i}": (d_sae, n - i, d),
            f"b_enc_{i}": (d_sae,),
            f"b_dec_{i}": (d,),
        }
    has_threshold = "threshold_0" in t
    if has_threshold:
        needed |= {f"threshold_{i}": (d_sae,) for i in range(n)}
    checked(content, needed)
    layers = [
        Layer(
            encoder=t[f"W_enc_{i}"],
            bias=t[f"b_enc_{i}"],
            decoder=t[f"W_dec_{i}"],
            out_bias=t[f"b_dec_{i}"],
            threshold=_not_negative(content, f"threshold_{i}") if has_threshold else None,
        )
        for i in range(n)
    ]
    return across(content, hooks, layers)


def _finds(path: Path) -> bool:
    if path.is_dir():
        return (path / "W_enc_0.safetensors").is_file()
    return bool(_LAYER.fullmatch(path.name)) and (path.parent / SETTINGS).is_file()


CIRCUIT_TRACER = Format("circuit-tracer", "circuit-tracer", _finds, _load, _read, forward)
