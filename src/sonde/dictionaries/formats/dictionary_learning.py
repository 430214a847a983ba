"""dictionary_learning: a folder ``trainer_<i>`` with ``config.json`` and ``ae.pt``."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sonde import __version__
from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.core.files import full_disk_named, write_json
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries.formats.content import Content, Format, HookPoints, Loaded
from sonde.dictionaries.formats.dictionary_learning_classes import CLASSES, by_class
from sonde.dictionaries.formats.expressing import (
    in_one_scale,
    one_threshold,
    refuse,
    without_groups,
)
from sonde.dictionaries.formats.foreign_hooks import chosen
from sonde.dictionaries.formats.naive.dictionary_learning import forward
from sonde.dictionaries.formats.safe_files import in_float32, read_settings, read_torch
from sonde.dictionaries.formats.shapes import as_number, checked, matrix
from sonde.dictionaries.formats.weights import Weights, described, made, recentred, taken
from sonde.dictionaries.sparsity import BatchTopK, Gated, JumpReLU, ReLU, Sparsity, TopK

SETTINGS, WEIGHTS = "config.json", "ae.pt"
# What its names of hook points mean: modules inside a block, whose outputs it trains on.
MODULES = {"resid_post": "", "attn": ".self_attn", "mlp": ".mlp"}


def _load(path: Path, where: str) -> Content:
    settings = read_settings(path / SETTINGS)
    trainer = settings.get("trainer")
    name = trainer.get("dict_class") if isinstance(trainer, dict) else None
    if name not in CLASSES:
        raise SondeError(
            f"{where}: the class is {name!r}; sonde knows {', '.join(CLASSES)}.",
            fix="config.json names it as trainer.dict_class.",
        )
    read = read_torch(path / WEIGHTS)
    tensors, notes = in_float32({k: v for k, v in read.items() if isinstance(v, Tensor)})
    return Content(where, settings, tensors, notes)


def _read(content: Content, given: HookPoints) -> Loaded:
    trainer: dict[str, Any] = content.settings["trainer"]
    name, t = trainer["dict_class"], content.tensors
    kind = CLASSES[name]
    first, second = matrix(content, kind.encoder)
    d_sae, d = (first, second) if kind.linear else (second, first)
    n_groups = t["group_sizes"].numel() if "group_sizes" in t else 0
    checked(content, *kind.shapes(d, d_sae, n_groups))
    hooks = chosen(content, given, (_hook(trainer), None), "SAE")
    sparsity: Sparsity = kind.sparsity()
    if isinstance(sparsity, TopK | BatchTopK):
        k = as_number(Content(content.where, trainer, t), "k")
        sparsity = sparsity.model_copy(update={"k": k})
    groups = tuple(int(one) for one in t["group_sizes"]) if n_groups else ()
    architecture = described(
        content, hooks, d_in=d, d_out=d, d_sae=d_sae, sparsity=sparsity, groups=groups,
        centred=kind.centred,
    )  # fmt: skip
    weights = Weights(
        encoder=t[kind.encoder] if kind.linear else t[kind.encoder].T,
        decoder=t[kind.decoder].T if kind.linear else t[kind.decoder],
        bias=t[kind.bias],
        out_bias=t[kind.out_bias],
        threshold=t.get("threshold"),
        gate_bias=t.get("gate_bias"),
        log_scale=t.get("r_mag"),
    )
    origin = Origin(model=str(trainer.get("lm_name") or ""), hooks=hooks.every)
    notes = (*hooks.notes, *_notes(name, weights))
    return Loaded(made(architecture, weights), origin, content.notes).noting(*notes)


def _hook(trainer: dict[str, Any]) -> str | None:
    """Return the hook point: ``submodule_name`` where it is one, else the layer's residual."""
    name, layer = str(trainer.get("submodule_name") or ""), trainer.get("layer")
    if name.startswith("blocks."):
        return name
    match = re.fullmatch(r"(resid_post|attn|mlp)(?:_out)?_layer_?(\d+)", name)
    if match:
        return f"layers.{match[2]}{MODULES[match[1]]}"
    if name:
        return name  # refused by name, or a module's path
    return None if layer is None else f"blocks.{layer}.resid_post"


def _notes(name: str, weights: Weights) -> list[str]:
    if name != "AutoEncoder" or _near_one(weights):
        return []
    return [
        "Decoder rows are not of unit length: dictionary_learning's own loader multiplies "
        "activations by their norms unless normalize_decoder=False. Here they are as in training."
    ]


def _near_one(weights: Weights) -> bool:
    norm = weights.one_norm()
    return norm is not None and abs(norm - 1) < 1e-4


def _make(loaded: Loaded) -> Content:
    architecture = loaded.architecture
    if not architecture.is_autoencoder:
        refuse("dictionary_learning", f"a {architecture.name}: it has SAEs alone")
    if architecture.normalise != "none":
        refuse("dictionary_learning", f"{architecture.normalise}, which it does not apply")
    weights = in_one_scale(loaded.dictionary, taken(loaded.dictionary), "dictionary_learning")
    sparsity = architecture.sparsity
    if architecture.groups and not isinstance(sparsity, BatchTopK):
        without_groups(loaded.dictionary, f"dictionary_learning (for {sparsity.kind})")
    if isinstance(sparsity, TopK) and not sparsity.relu:
        refuse("dictionary_learning", "a TopK that keeps values below 0")
    centred = architecture.takes_bias_off
    name = by_class(sparsity, centred=centred, nested=bool(architecture.groups))
    kind = CLASSES[name]
    weights = recentred(weights, centred=centred, wanted=kind.centred)
    tensors = {
        kind.encoder: weights.encoder if kind.linear else weights.encoder.T,
        kind.decoder: weights.decoder.T if kind.linear else weights.decoder,
        kind.bias: weights.bias,
        kind.out_bias: weights.out_bias,
        **_beside(loaded, sparsity, weights),
    }
    trainer = {
        "dict_class": name,
        "activation_dim": architecture.d_in[0],
        "dict_size": architecture.d_sae,
        "layer": parse_hook_point(architecture.sources[0]).layer,
        "lm_name": loaded.origin.model,
        "submodule_name": architecture.sources[0],
        **({"k": sparsity.k} if isinstance(sparsity, TopK | BatchTopK) else {}),
    }
    moved = (
        f"dictionary_learning's {name} {'always' if kind.centred else 'never'} takes the decoder's "
        "bias off its input: the encoder's bias takes in what that changes."
    )
    noted = loaded.noting(moved if kind.centred != centred else "", *_notes(name, weights))
    settings = {"trainer": trainer, "buffer": {}, "sonde_version": __version__}
    return Content("the new files", settings, tensors, noted.notes)


def _beside(loaded: Loaded, sparsity: Sparsity, weights: Weights) -> dict[str, Tensor]:
    """Return the tensors that one sparsity alone has."""
    if isinstance(sparsity, JumpReLU):
        assert weights.threshold is not None
        return {"threshold": weights.threshold}
    if isinstance(sparsity, Gated):
        assert weights.gate_bias is not None and weights.log_scale is not None
        return {"gate_bias": weights.gate_bias, "r_mag": weights.log_scale}
    if isinstance(sparsity, ReLU):
        return {}
    k = torch.tensor(sparsity.k, dtype=torch.int32)
    if isinstance(sparsity, TopK):
        return {"k": k, "threshold": torch.tensor(-1.0)}
    found = {"k": k, "threshold": one_threshold(loaded.dictionary, weights, "dictionary_learning")}
    groups = loaded.architecture.groups
    return {**found, "group_sizes": torch.tensor(groups)} if groups else found


def _save(content: Content, folder: Path) -> None:
    write_json(folder / SETTINGS, content.settings)
    tensors = {name: one.contiguous().clone() for name, one in content.tensors.items()}
    path = folder / WEIGHTS
    # Into a file that is open: torch's own writer does not say that a disk is full.
    with full_disk_named(path), path.open("wb") as file:
        torch.save(tensors, file)


def _finds(path: Path) -> bool:
    return (path / SETTINGS).is_file() and (path / WEIGHTS).is_file()


DICTIONARY_LEARNING = Format(
    "dictionary-learning", "dictionary_learning", _finds, _load, _read, forward, _make, _save
)
