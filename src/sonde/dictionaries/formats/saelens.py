"""SAELens: a folder with ``cfg.json`` and ``sae_weights.safetensors``."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from sonde import __version__
from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.core.files import write_json
from sonde.core.hooks import TRANSFORMER_LENS_NAMES, parse_hook_point
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.formats.content import Content, Format, HookPoints, Loaded
from sonde.dictionaries.formats.expressing import as_jump_relu, in_one_scale, refuse
from sonde.dictionaries.formats.foreign_hooks import chosen
from sonde.dictionaries.formats.naive.saelens import forward
from sonde.dictionaries.formats.saelens_settings import NORMALISING, settled
from sonde.dictionaries.formats.safe_files import in_float32, read_safetensors, read_settings
from sonde.dictionaries.formats.saving import save_tensors
from sonde.dictionaries.formats.shapes import as_number, checked, matrix, setting
from sonde.dictionaries.formats.weights import Weights, described, made, rescaled, taken
from sonde.dictionaries.sparsity import BatchTopK, Gated, JumpReLU, ReLU, Sparsity, TopK

SETTINGS, WEIGHTS = "cfg.json", "sae_weights.safetensors"
VERSION = "6.54.12"  # of SAELens, whose format is written
KINDS = {
    (ReLU, "SAE"): "standard",
    (TopK, "SAE"): "topk",
    (JumpReLU, "SAE"): "jumprelu",
    (Gated, "SAE"): "gated",
    (ReLU, "transcoder"): "transcoder",
    (ReLU, "skip transcoder"): "skip_transcoder",
    (JumpReLU, "transcoder"): "jumprelu_transcoder",
    (JumpReLU, "skip transcoder"): "jumprelu_skip_transcoder",
}


def _load(path: Path, where: str) -> Content:
    settings = settled(read_settings(path / SETTINGS), where)
    tensors, notes = in_float32(read_safetensors(path / WEIGHTS))
    if "finetuning_scaling_factor" in tensors:
        tensors["scaling_factor"] = tensors.pop("finetuning_scaling_factor")
    return Content(where, settings, tensors, notes)


def _read(content: Content, given: HookPoints) -> Loaded:
    settings, t = content.settings, content.tensors
    d_in, d_sae = matrix(content, "W_enc")
    d_out = matrix(content, "W_dec")[1]
    kind = str(setting(content, "architecture"))
    _check(content, kind, d_in, d_out, d_sae)
    metadata: dict[str, Any] = settings["metadata"]
    is_transcoder = kind.endswith("transcoder")
    named = metadata.get("hook_name"), metadata.get("hook_name_out") if is_transcoder else None
    hooks = chosen(content, given, named, "transcoder" if is_transcoder else "SAE")
    architecture = described(
        content,
        hooks,
        d_in=d_in,
        d_out=d_out,
        d_sae=d_sae,
        sparsity=_sparsity(content, kind),
        groups=_groups(content),
        skip="W_skip" in t,
        centred=None if is_transcoder else bool(settings["apply_b_dec_to_input"]),
        normalise=NORMALISING.get(str(settings["normalize_activations"]), "none"),
    )
    gated = kind == "gated"
    weights = Weights(
        encoder=t["W_enc"].T,
        bias=t["b_mag" if gated else "b_enc"],
        decoder=t["W_dec"],
        out_bias=t["b_dec"],
        threshold=t.get("threshold"),
        gate_bias=t.get("b_gate"),
        log_scale=t.get("r_mag"),
        skip=t.get("W_skip"),
    )
    if settings.get("rescale_acts_by_decoder_norm"):
        weights = rescaled(weights, weights.norms())
    if "scaling_factor" in t:
        scaled = weights.decoder * t["scaling_factor"][:, None]
        weights = replace(weights, decoder=scaled)
    origin = Origin(model=str(metadata.get("model_name") or ""), hooks=hooks.every)
    notes = (*hooks.notes, *_notes(content))
    return Loaded(made(architecture, weights), origin, content.notes).noting(*notes)


def _check(content: Content, kind: str, d_in: int, d_out: int, d_sae: int) -> None:
    if kind not in KINDS.values():
        raise SondeError(
            f"{content.where} is of SAELens' architecture {kind!r}, which sonde has not.",
            fix=f"Read are {', '.join(KINDS.values())}. One that is saved in the middle of "
            "training is saved for use with save_inference_model().",
        )
    shapes: dict[str, tuple[int, ...]] = {
        "W_enc": (d_in, d_sae),
        "W_dec": (d_sae, d_out),
        "b_dec": (d_out,),
    }
    names = ("b_gate", "b_mag", "r_mag") if kind == "gated" else ("b_enc",)
    shapes |= dict.fromkeys(names, (d_sae,))
    if kind.startswith("jumprelu"):
        shapes["threshold"] = (d_sae,)
    if "skip" in kind:
        shapes["W_skip"] = (d_out, d_in)
    checked(content, shapes, {"scaling_factor": (d_sae,)})
    if not kind.endswith("transcoder") and d_in != d_out:
        raise SondeError(f"{content.where} is an SAE of width {d_in} in and {d_out} out.")


def _sparsity(content: Content, kind: str) -> Sparsity:
    if kind == "topk":
        return TopK(k=as_number(content, "k"))
    if kind == "gated":
        return Gated()
    return JumpReLU() if kind.startswith("jumprelu") else ReLU()


def _groups(content: Content) -> tuple[int, ...]:
    prefixes = content.settings["metadata"].get("matryoshka_widths")
    if not prefixes:
        return ()
    if not isinstance(prefixes, list) or not all(isinstance(one, int) for one in prefixes):
        raise SondeError(
            f"{content.where}: matryoshka_widths is {prefixes!r}, not a list of whole numbers."
        )
    return tuple(b - a for a, b in pairwise([0, *prefixes]))


def _notes(content: Content) -> list[str]:
    settings, notes = content.settings, []
    kind = settings["normalize_activations"]
    if kind in ("expected_average_only_in", "covariance_whitening"):
        notes.append(
            f"normalize_activations is {kind}, and the files hold no scale: as SAELens does, rows "
            "are taken as they are. Variance explained on real activations shows if that is right."
        )
    if settings.get("rescale_acts_by_decoder_norm"):
        notes.append("rescale_acts_by_decoder_norm: decoder norms are folded into the encoder.")
    if "scaling_factor" in content.tensors:
        notes.append("The factors of finetuning are folded into the decoder.")
    return notes


def _make(loaded: Loaded) -> Content:
    architecture = loaded.architecture
    weights = in_one_scale(loaded.dictionary, taken(loaded.dictionary), "SAELens")
    sparsity = architecture.sparsity
    if isinstance(sparsity, BatchTopK):
        weights, sparsity = as_jump_relu(loaded.dictionary, weights), JumpReLU()
    _expressible(architecture, sparsity)
    shape = "SAE" if architecture.is_autoencoder else "transcoder"
    kind = KINDS[type(sparsity), f"skip {shape}" if architecture.skip else shape]
    gated = isinstance(sparsity, Gated)
    tensors = {
        "W_enc": weights.encoder.T,
        "W_dec": weights.decoder,
        "b_dec": weights.out_bias,
        **({"b_mag": weights.bias} if gated else {"b_enc": weights.bias}),
        **({"b_gate": weights.gate_bias, "r_mag": weights.log_scale} if gated else {}),
        **({"threshold": weights.threshold} if isinstance(sparsity, JumpReLU) else {}),
        **({"W_skip": weights.skip} if architecture.skip else {}),
    }
    given = {name: one for name, one in tensors.items() if isinstance(one, torch.Tensor)}
    settings = _settings(loaded, kind, sparsity)
    by_head = "SAELens takes and gives rows of each head: [..., n_heads, d_head]."
    noted = loaded.noting(by_head if settings["reshape_activations"] == "hook_z" else "")
    return Content("the new files", settings, given, noted.notes)


def _expressible(architecture: Architecture, sparsity: Sparsity) -> None:
    if isinstance(sparsity, TopK) and not sparsity.relu:
        refuse("SAELens", "a TopK that keeps values below 0: its TopK sets them to 0")
    if not architecture.is_autoencoder and not isinstance(sparsity, ReLU | JumpReLU):
        refuse(
            "SAELens",
            f"a transcoder with {sparsity.kind}: its transcoders are ReLU or JumpReLU",
            "sparsify holds TopK transcoders (--to sparsify).",
        )


def _settings(loaded: Loaded, kind: str, sparsity: Sparsity) -> dict[str, Any]:
    architecture = loaded.architecture
    kinds = {ours: theirs for theirs, ours in NORMALISING.items()}
    metadata = {
        "sae_lens_version": VERSION,
        "sae_lens_training_version": None,
        "sonde_version": __version__,
        "model_name": loaded.origin.model or None,
        "hook_name": lens_name(architecture.sources[0]),
        "hook_name_out": lens_name(architecture.targets[0]) if architecture.targets else None,
        "matryoshka_widths": list(architecture.prefixes) if architecture.groups else None,
    }
    # An SAE there is fed [..., n_heads, d_head], as hook_z is; transcoders reshape nothing.
    by_head = architecture.is_autoencoder and metadata["hook_name"].endswith("hook_z")
    width = {"d_out": architecture.widths_out[0]} if architecture.targets else {}
    return {
        "architecture": kind,
        "d_in": architecture.d_in[0],
        "d_sae": architecture.d_sae,
        **width,
        **({"k": sparsity.k} if isinstance(sparsity, TopK) else {}),
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": architecture.takes_bias_off,
        "normalize_activations": kinds.get(architecture.normalise, "none"),
        "reshape_activations": "hook_z" if by_head else "none",
        "metadata": {name: value for name, value in metadata.items() if value is not None},
    }


def lens_name(hook: str) -> str:
    """Return TransformerLens' name of a hook point, sonde's own where it has none."""
    point = parse_hook_point(hook)
    names = (name for name, site in TRANSFORMER_LENS_NAMES.items() if site == point.site)
    name = next(names, None)
    return f"blocks.{point.layer}.{name}" if name else hook


def _save(content: Content, folder: Path) -> None:
    write_json(folder / SETTINGS, content.settings)
    save_tensors(content.tensors, folder / WEIGHTS)


def _finds(path: Path) -> bool:
    return (path / SETTINGS).is_file() and (path / WEIGHTS).is_file()


SAELENS = Format("saelens", "SAELens", _finds, _load, _read, forward, _make, _save)
