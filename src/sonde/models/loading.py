"""Load a model by name: find it, see that it fits, read or draw its weights, check it."""

from pathlib import Path
from typing import Any

import torch

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.models import checkpoint, embedded, hub
from sonde.models.devices import device_of, dtype_of
from sonde.models.families import family_of
from sonde.models.memory import check_fits, config_of, estimate_config
from sonde.models.model import Model, wrap
from sonde.models.quantise import quantisation
from sonde.models.self_check import checked
from sonde.models.source import Embedded, Folder, GgufPath, Hub, Random, cached_tokenizer, resolve
from sonde.models.spec import ModelSpec, as_spec

LOCAL = "local"  # the revision of what has none


def load(name: str | ModelSpec, **overrides: Any) -> Model:
    """Load a model, ready to be read.

    Args:
        name: a catalog name, hub id, local folder, ``.gguf`` file, or ``random:`` and a catalog
            name, a family or the path of a ``config.json``; or the settings as a whole.
        **overrides: any setting of ``ModelSpec``, such as ``dtype="bfloat16"``.

    Raises:
        SondeError: the model is not known, cannot be had, does not fit in memory, or needs
            something that was not allowed or is not installed.
    """
    spec = as_spec(name, overrides)
    source = resolve(spec)
    device = device_of(spec)
    dtype = dtype_of(spec, device)
    match source:
        case Embedded():
            model = _embedded(spec, device, dtype)
        case Folder(path=path):
            model = _folder(spec, path, device, dtype)
        case Hub(repository=repository):
            model = _hub(spec, repository, device, dtype)
        case GgufPath(path=path):
            model = _gguf(spec, path, device, dtype)
        case Random():
            model = _random(spec, source, device, dtype)
    return checked(model) if spec.check else model


def _embedded(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Model:
    folder = embedded.embedded_folder()
    hf = _weights(spec, config_of(spec), folder, device, dtype)
    return _wrap(spec, hf, embedded_tokenizer(folder), embedded.REVISION, embedded.FINGERPRINT)


def embedded_tokenizer(folder: Path) -> Any:
    """Read the tokenizer that was built from the GGUF, exactly as it was saved."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(folder)


def _folder(spec: ModelSpec, path: Path, device: torch.device, dtype: torch.dtype) -> Model:
    hf = _weights(spec, config_of(spec), path, device, dtype)
    tokenizer = checkpoint.load_tokenizer(path, spec.remote_code)
    return _wrap(spec, hf, tokenizer, LOCAL, checkpoint.fingerprint_folder(path))


def _hub(spec: ModelSpec, repository: str, device: torch.device, dtype: torch.dtype) -> Model:
    listing = hub.look_up(repository, spec.revision)
    config = checkpoint.config_from_folder(hub.fetch_config(listing), spec.remote_code)
    _check(spec, config, device, dtype)  # before gigabytes are fetched for nothing
    folder = hub.fetch(listing, code=spec.remote_code)
    hf = _weights(spec, config, folder, device, dtype)
    tokenizer = checkpoint.load_tokenizer(folder, spec.remote_code)
    return _wrap(spec, hf, tokenizer, listing.commit, fingerprint([repository, listing.commit]))


def _check(spec: ModelSpec, config: Any, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse a model of no known family, or one that does not fit, before its weights are read."""
    family_of(config)
    check_fits(spec, config, device, dtype)


def _weights(
    spec: ModelSpec, config: Any, folder: Path, device: torch.device, dtype: torch.dtype
) -> Any:
    """Read a folder's weights onto their devices, after seeing that they fit."""
    _check(spec, config, device, dtype)
    placement: dict[str, Any] = {"dtype": dtype}
    if spec.quantise is not None:
        placement["quantization_config"] = quantisation(spec.quantise, device, dtype)
    if spec.device_map is not None:
        placement["device_map"] = spec.device_map
    elif device.type != "cpu":
        placement["device_map"] = {"": device}
    n_bytes = estimate_config(spec, config, dtype).weights
    hf = checkpoint.load_weights(folder, placement, n_bytes, spec.remote_code)
    return hf.requires_grad_(False).eval()


def _gguf(spec: ModelSpec, path: Path, device: torch.device, dtype: torch.dtype) -> Model:
    from sonde.models.gguf import gguf_config, gguf_model, read_gguf
    from sonde.models.tokenizers import gguf_tokenizer

    _refuse_spreading(spec, "a GGUF file")
    file = read_gguf(path)
    config = gguf_config(file)
    _check(spec, config, device, dtype)
    tokenizer = gguf_tokenizer(file.metadata, str(path))
    hf = gguf_model(file, config, dtype=dtype, device=device)
    return _wrap(spec, hf, tokenizer, LOCAL, fingerprint(checkpoint.digest(path)))


def _random(spec: ModelSpec, source: Random, device: torch.device, dtype: torch.dtype) -> Model:
    from sonde.models.random_weights import INITIALISATION, draw, put_embeddings

    _refuse_spreading(spec, "random weights")
    config = config_of(spec)
    _check(spec, config, device, dtype)
    kept = _real_embeddings(spec, source, config) if spec.keep else None
    hf = draw(config, family=source.family, dtype=dtype, device=device, seed=spec.seed)
    if kept is not None:
        put_embeddings(hf, *kept)
    made_of = [source.config, spec.seed, INITIALISATION, str(dtype), device.type, kept and kept[1]]
    named = cached_tokenizer(source)
    made_of += [f"tokens of {named.name}"] if named is not None else []
    return _wrap(spec, hf, random_tokenizer(source, config), LOCAL, fingerprint(made_of))


def _refuse_spreading(spec: ModelSpec, what: str) -> None:
    for key in ("quantise", "device_map"):
        if getattr(spec, key) is not None:
            raise SondeError(
                f"{key}={getattr(spec, key)!r} was given for {what}, and works for safetensors "
                "checkpoints only.",
                fix=f"Leave {key} out.",
            )


def _real_embeddings(spec: ModelSpec, source: Random, config: Any) -> tuple[Path, str]:
    """Return the folder of the real embeddings and what names their model."""
    from sonde.models.random_weights import embedding_suffix

    if source.entry is not None and source.entry.name == embedded.NAME:
        return embedded.embedded_folder(), embedded.FINGERPRINT
    if source.entry is not None:
        listing = hub.look_up(source.entry.hub_id, None)
        suffix = embedding_suffix(checkpoint.skeleton(config))
        folder = hub.fetch_embeddings(listing, suffix)
        hub.fetch_tokenizer(listing)  # other tokens would meet other embeddings
        return folder, f"{listing.repository}@{listing.commit}"
    if source.folder is not None:
        return source.folder, checkpoint.fingerprint_folder(source.folder)
    raise SondeError(
        f"keep='embeddings' was given for {spec.name!r}, of which there is no real model.",
        fix="Use it with a catalog name or a model folder: random:smollm2-135m-instruct.",
    )


def random_tokenizer(source: Random, config: Any) -> Any:
    """Return the tokenizer of the real model where that is at hand, else one of bytes."""
    from sonde.models.tokenizers import byte_tokenizer

    if source.entry is not None and source.entry.name == embedded.NAME:
        return embedded_tokenizer(embedded.embedded_folder())
    cached = cached_tokenizer(source)
    if cached is not None:
        return checkpoint.load_tokenizer(cached, remote_code=False)
    if source.folder is not None and (source.folder / "tokenizer_config.json").is_file():
        return checkpoint.load_tokenizer(source.folder, remote_code=False)
    return byte_tokenizer(config.get_text_config().vocab_size)


def _wrap(spec: ModelSpec, hf: Any, tokenizer: Any, revision: str, weights: str) -> Model:
    """Wrap a model; packed weights are other weights, so packing is part of the fingerprint."""
    named = weights if spec.quantise is None else fingerprint([weights, spec.quantise])
    return wrap(hf, tokenizer, name=spec.name, revision=revision, fingerprint=named)
