"""OpenAI's dictionaries of GPT-2 small: ``<layer>.pt``, a state_dict with its activation's name."""

import re
from pathlib import Path
from typing import Any

from torch import Tensor

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.core.hooks import Site
from sonde.dictionaries.formats.content import Content, Format, HookPoints, Loaded
from sonde.dictionaries.formats.foreign_hooks import chosen
from sonde.dictionaries.formats.naive.openai import forward
from sonde.dictionaries.formats.safe_files import in_float32, read_torch
from sonde.dictionaries.formats.shapes import checked, matrix
from sonde.dictionaries.formats.weights import Weights, described, made
from sonde.dictionaries.sparsity import ReLU, Sparsity, TopK

LOCATIONS = {
    "resid_delta_attn": Site.ATTN_OUT,
    "resid_delta_mlp": Site.MLP_OUT,
    "resid_post_attn": Site.RESID_MID,
    "resid_post_mlp": Site.RESID_POST,
}
STATISTICS = ("stats_last_nonzero", "latents_activation_frequency", "latents_mean_square")


def _load(path: Path, where: str) -> Content:
    read = read_torch(path)
    tensors, notes = in_float32({k: v for k, v in read.items() if isinstance(v, Tensor)})
    found: dict[str, Any] = {"activation": "ReLU", "activation_state_dict": {}}
    found |= {name: value for name, value in read.items() if name in found}
    return Content(where, found, tensors, notes)


def _read(content: Content, given: HookPoints) -> Loaded:
    t = content.tensors
    d_sae, d = matrix(content, "encoder.weight")
    needed: dict[str, tuple[int, ...]] = {
        "encoder.weight": (d_sae, d),
        "decoder.weight": (d, d_sae),
        "pre_bias": (d,),
        "latent_bias": (d_sae,),
    }
    checked(content, needed, dict.fromkeys(STATISTICS, (d_sae,)))
    hooks = chosen(content, given, (_hook(content.where), None), "SAE")
    sparsity = _sparsity(content)
    architecture = described(
        content,
        hooks,
        d_in=d,
        d_out=d,
        d_sae=d_sae,
        sparsity=sparsity,
        normalise="layer_norm" if isinstance(sparsity, TopK) else "none",
    )
    weights = Weights(
        encoder=t["encoder.weight"],
        bias=t["latent_bias"],
        decoder=t["decoder.weight"].T,
        out_bias=t["pre_bias"],
    )
    origin = Origin(model="openai-community/gpt2", hooks=hooks.every)
    return Loaded(made(architecture, weights), origin, content.notes).noting(*hooks.notes)


def _sparsity(content: Content) -> Sparsity:
    kind, beside = content.settings["activation"], content.settings["activation_state_dict"]
    if kind == "ReLU":
        return ReLU()
    if kind == "TopK" and isinstance(beside, dict):
        k, after = beside.get("k"), beside.get("postact_fn")
        if isinstance(k, int) and k > 0 and after in ("ReLU", "Identity"):
            return TopK(k=k, relu=after == "ReLU")
    raise SondeError(
        f"{content.where}: the activation is {kind!r} with {beside!r}; sonde knows ReLU, and TopK "
        "with k and postact_fn ReLU or Identity."
    )


def _hook(where: str) -> str | None:
    """Return the hook point that the folders name, as in the published address."""
    location = re.search(r"(resid_(?:delta|post)_(?:attn|mlp)|mlp_post_act)", where)
    layer = re.search(r"(\d+)\.pt$", where)
    if location is None or layer is None:
        return None
    if location[1] not in LOCATIONS:
        return f"blocks.{layer[1]}.{location[1]}"  # refused by that name
    return f"blocks.{layer[1]}.{LOCATIONS[location[1]]}"


def _finds(path: Path) -> bool:
    if not (path.is_file() and path.suffix == ".pt"):
        return False
    try:
        return {"pre_bias", "latent_bias"} <= read_torch(path).keys()
    except SondeError:
        return path.stem.isdecimal()  # and `load` then says what is wrong with it


OPENAI = Format("openai", "OpenAI", _finds, _load, _read, forward)
