"""sparsify: a folder named after a hook point, with ``cfg.json`` and ``sae.safetensors``."""

import re
from pathlib import Path
from typing import Any

from sonde import __version__
from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.core.files import write_json
from sonde.dictionaries.formats.content import Content, Format, HookPoints, Loaded
from sonde.dictionaries.formats.expressing import in_one_scale, refuse, without_groups
from sonde.dictionaries.formats.foreign_hooks import Named, chosen, hook_point, input_of
from sonde.dictionaries.formats.naive.sparsify import forward
from sonde.dictionaries.formats.safe_files import in_float32, read_safetensors, read_settings
from sonde.dictionaries.formats.saving import save_tensors
from sonde.dictionaries.formats.shapes import as_number, checked, matrix
from sonde.dictionaries.formats.weights import Weights, described, made, recentred, taken
from sonde.dictionaries.sparsity import TopK

SETTINGS, WEIGHTS = "cfg.json", "sae.safetensors"
OURS = "sonde"  # sparsify leaves settings alone that it does not know


def _load(path: Path, where: str) -> Content:
    settings = read_settings(path / SETTINGS)
    tensors, notes = in_float32(read_safetensors(path / WEIGHTS))
    return Content(where, settings, tensors, notes)


def _read(content: Content, given: HookPoints) -> Loaded:
    settings, t = content.settings, content.tensors
    d_sae, d = matrix(content, "encoder.weight")
    transcodes, skips = bool(settings.get("transcode")), bool(settings.get("skip_connection"))
    _check(content, d_sae, d, skips=skips)
    if skips and not transcodes:
        raise SondeError(f"{content.where} is an SAE with a skip, which would copy its input.")
    named = _hook_points(content, transcodes, given)
    hooks = chosen(content, given, named, "transcoder" if transcodes else "SAE")
    architecture = described(
        content,
        hooks,
        d_in=d,
        d_out=d,
        d_sae=d_sae,
        sparsity=TopK(k=as_number(content, "k")),
        skip=skips,
    )
    weights = Weights(
        encoder=t["encoder.weight"],
        bias=t["encoder.bias"],
        decoder=t["W_dec"],
        out_bias=t["b_dec"],
        skip=t.get("W_skip"),
    )
    origin = Origin(model=str(_ours(settings).get("model") or ""), hooks=hooks.every)
    return Loaded(made(architecture, weights), origin, content.notes).noting(*hooks.notes)


def _check(content: Content, d_sae: int, d: int, *, skips: bool) -> None:
    if content.settings.get("activation", "topk") != "topk":
        raise SondeError(
            f"{content.where} has the activation {content.settings['activation']!r}, which sonde "
            "has not.",
            fix="Read are those with topk.",
        )
    shapes: dict[str, tuple[int, ...]] = {
        "encoder.weight": (d_sae, d),
        "encoder.bias": (d_sae,),
        "W_dec": (d_sae, d),
        "b_dec": (d,),
    }
    checked(content, {**shapes, "W_skip": (d, d)} if skips else shapes)
    latents = content.settings.get("num_latents") or d * content.settings.get("expansion_factor", 0)
    if latents != d_sae:
        raise SondeError(
            f"{content.where} says {latents:,} latents, and its encoder has {d_sae:,}.",
            fix="Check that the settings and the weights belong together.",
        )


def _hook_points(content: Content, transcodes: bool, given: HookPoints) -> Named:
    """Return what the folder's name says; of a transcoder it names the module it imitates."""
    ours = _ours(content.settings)
    if ours.get("sources"):
        return ours["sources"][0], (ours.get("targets") or [None])[0]
    name = re.sub(r"[\\/]+$", "", content.where).replace("\\", "/").rsplit("/", 1)[-1]
    if given.sources and (given.targets or not transcodes):
        return None, None
    if not transcodes:
        return name, None
    written = given.targets[0] if given.targets else name
    return input_of(hook_point(written)), written


def _ours(settings: dict[str, Any]) -> dict[str, Any]:
    given = settings.get(OURS)
    return given if isinstance(given, dict) else {}


def _make(loaded: Loaded) -> Content:
    architecture = loaded.architecture
    without_groups(loaded.dictionary, "sparsify")
    weights = in_one_scale(loaded.dictionary, taken(loaded.dictionary), "sparsify")
    sparsity = architecture.sparsity
    if not isinstance(sparsity, TopK):
        refuse("sparsify", f"{sparsity.kind}: it has TopK alone")
    if not sparsity.relu:
        refuse("sparsify", "a TopK that keeps values below 0: its own sets them to 0")
    if architecture.normalise != "none":
        refuse("sparsify", f"{architecture.normalise}, which its forward does not apply")
    d = architecture.d_in[0]
    if architecture.widths_out[0] != d:
        refuse("sparsify", f"a target of width {architecture.widths_out[0]} for a source of {d}")
    is_transcoder = not architecture.is_autoencoder
    centred = architecture.takes_bias_off
    weights = recentred(weights, centred=centred, wanted=not is_transcoder)
    tensors = {
        "encoder.weight": weights.encoder,
        "encoder.bias": weights.bias,
        "W_dec": weights.decoder,
        "b_dec": weights.out_bias,
        **({"W_skip": weights.skip} if weights.skip is not None else {}),
    }
    settings = {
        "activation": "topk",
        "expansion_factor": max(1, architecture.d_sae // d),
        "normalize_decoder": False,
        "num_latents": architecture.d_sae,
        "k": sparsity.k,
        "multi_topk": False,
        "skip_connection": architecture.skip,
        "transcode": is_transcoder,
        "d_in": d,
        OURS: {
            "version": __version__,
            "model": loaded.origin.model,
            "sources": list(architecture.sources),
            "targets": list(architecture.targets),
        },
    }
    moved = (
        "sparsify always takes the decoder's bias off the input of an SAE: the encoder's bias takes"
        " in what that changes."
    )
    noted = loaded.noting("" if centred or is_transcoder else moved)
    return Content("the new files", settings, tensors, noted.notes)


def _save(content: Content, folder: Path) -> None:
    write_json(folder / SETTINGS, content.settings)
    save_tensors(content.tensors, folder / WEIGHTS)


def _finds(path: Path) -> bool:
    return (path / SETTINGS).is_file() and (path / WEIGHTS).is_file()


SPARSIFY = Format("sparsify", "sparsify", _finds, _load, _read, forward, _make, _save)
