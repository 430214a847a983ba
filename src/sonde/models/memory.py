"""How much memory a model needs, known before any weight is read, and how much there is."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from sonde.core.errors import SondeError
from sonde.models.devices import device_of, dtype_of
from sonde.models.entries import Entry, catalog
from sonde.models.source import Embedded, Folder, GgufPath, Hub, Random, resolve
from sonde.models.spec import ModelSpec, as_spec

GB = 1e9
# Bytes for each packed weight: the code and its share of the block's scale.
_PACKED = {4: 0.5 + 0.016, 8: 1.0}
_WORKERS = min(4, os.cpu_count() or 4)  # tensors that transformers reads at the same time


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes on the model's device.

    ``weights`` stay. ``peak_loading`` is the most held at once while loading: the weights, and the
    copies of the largest tensors that are converted or packed at the same time. ``per_token`` is
    what one more token in a batch takes during a pass that captures, without logits;
    ``cache_per_token`` what it takes in the cache of a generation.
    """

    weights: int
    peak_loading: int
    per_token: int
    cache_per_token: int
    n_parameters: int


def estimate(name: str | ModelSpec, **overrides: Any) -> MemoryEstimate:
    """Estimate the memory of a model from its configuration alone.

    Raises:
        SondeError: the model is not known, or its configuration cannot be had.
    """
    spec = as_spec(name, overrides)
    return estimate_config(spec, config_of(spec), dtype_of(spec, device_of(spec)))


def config_of(spec: ModelSpec) -> Any:
    """Return the transformers configuration of a model, without its weights.

    Models of the catalog need no network.

    Raises:
        SondeError: the model is not known, or its configuration cannot be had.
    """
    from sonde.models import checkpoint, embedded, hub
    from sonde.models.entries import find

    source = resolve(spec)
    match source:
        case Embedded():
            entry = find(embedded.NAME)
            assert entry is not None
            return checkpoint.config_from_file(entry.path)
        case Hub(entry=Entry() as entry):
            return checkpoint.config_from_file(entry.path)
        case Hub(repository=repository):
            listing = hub.look_up(repository, spec.revision)
            return checkpoint.config_from_folder(hub.fetch_config(listing), spec.remote_code)
        case Folder(path=path):
            return checkpoint.config_from_folder(path, spec.remote_code)
        case GgufPath(path=path):
            from sonde.models.gguf import gguf_config, read_gguf

            return gguf_config(read_gguf(path))
        case Random(config=keys):
            return checkpoint.config_from_keys(keys, spec.name)


def estimate_config(spec: ModelSpec, config: Any, dtype: torch.dtype) -> MemoryEstimate:
    """Estimate the memory of a configuration in a dtype, by building it without storage."""
    from sonde.models.checkpoint import skeleton

    hf = skeleton(config)
    shared = {id(parameter) for parameter in hf.get_input_embeddings().parameters()}
    packed = packed_count(hf, shared) if spec.quantise else 0
    n_parameters = hf.num_parameters()
    plain = (n_parameters - packed) * dtype.itemsize
    weights = int(plain + packed * _PACKED.get(spec.quantise or 0, 0))
    text = config.get_text_config()
    return MemoryEstimate(
        weights=weights,
        peak_loading=weights + _copies(spec, config, dtype, hf),
        per_token=_per_token(text, dtype.itemsize),
        cache_per_token=_cache_per_token(text, dtype.itemsize),
        n_parameters=n_parameters,
    )


def packed_count(hf: Any, embeddings: set[int]) -> int:
    """Count the weights that quantisation packs: the linear layers, the head's apart."""
    head = hf.get_output_embeddings()
    return sum(
        module.weight.numel()
        for module in hf.modules()
        if isinstance(module, torch.nn.Linear)
        and module is not head
        and id(module.weight) not in embeddings
    )


def _copies(spec: ModelSpec, config: Any, dtype: torch.dtype, hf: Any) -> int:
    """Return the bytes that exist for a moment next to the weights.

    Random weights are drawn in place. A checkpoint's tensors are read by several threads, each of
    which holds one as stored while it is converted or packed; at worst these are the largest ones.
    """
    sizes = sorted((parameter.numel() for parameter in hf.parameters()), reverse=True)
    if spec.name.startswith("random:"):
        return sizes[0] * 4 if spec.keep else 0
    stored = config.dtype if isinstance(config.dtype, torch.dtype) else torch.float32
    converted = stored != dtype or spec.quantise is not None
    return sum(sizes[: _WORKERS if converted else 1]) * stored.itemsize


def _per_token(text: Any, size: int) -> int:
    d_model, d_ff = text.hidden_size, _mlp_width(text)
    heads, groups, d_head = _heads(text)
    # The residual, its normed copy and sum; queries, keys and values before and after rotation;
    # gate, up and their product; and the float32 copy in which a norm is computed.
    held = 4 * d_model + 2 * (heads + 2 * groups) * d_head + 3 * d_ff
    return held * size + 2 * d_model * 4


def _cache_per_token(text: Any, size: int) -> int:
    _, groups, d_head = _heads(text)
    return 2 * text.num_hidden_layers * groups * d_head * size


def _mlp_width(text: Any) -> int:
    width = getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None)
    return (width or 4 * text.hidden_size) * getattr(text, "num_experts_per_tok", 1)


def _heads(text: Any) -> tuple[int, int, int]:
    heads = text.num_attention_heads
    groups = getattr(text, "num_key_value_heads", None) or heads
    return heads, groups, getattr(text, "head_dim", None) or text.hidden_size // heads


def available_memory(device: torch.device, *, all_gpus: bool = False) -> int:
    """Return the free bytes of a device: for a CPU, what the machine and its container leave.

    ``all_gpus`` adds up the GPUs, over which a ``device_map`` spreads a model.
    """
    if device.type == "cuda":
        indices = range(torch.cuda.device_count()) if all_gpus else [device]
        return sum(torch.cuda.mem_get_info(index)[0] for index in indices)
    return min([psutil.virtual_memory().available, *_container_limits()])


def _container_limits(root: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """Yield what each control group above this process leaves free (cgroup v2, then v1)."""
    try:
        own = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return
    paths = [line.split(":", 2)[2].lstrip("/") for line in own if line.startswith("0::")]
    own_folder = root / (paths[0] if paths else "")
    folders = [own_folder, *own_folder.parents]
    for folder in folders[: folders.index(root) + 1] if root in folders else [root]:
        free = _free_in(folder / "memory.max", folder / "memory.current", folder / "memory.stat")
        if free is not None:
            yield free
    old = root / "memory"
    free = _free_in(
        old / "memory.limit_in_bytes", old / "memory.usage_in_bytes", old / "memory.stat"
    )
    if free is not None:
        yield free


def _free_in(limit: Path, used: Path, stat: Path) -> int | None:
    """Return limit − used + file cache that can be given back; None where there is no limit."""
    try:
        most, now = limit.read_text().strip(), int(used.read_text())
        lines = dict(line.split() for line in stat.read_text().splitlines())
    except (OSError, ValueError):
        return None
    if most == "max":
        return None
    return max(0, int(most) - now + int(lines.get("inactive_file", 0)))


def check_fits(spec: ModelSpec, config: Any, device: torch.device, dtype: torch.dtype) -> None:
    """Refuse a model that cannot fit, saying what would.

    Raises:
        SondeError: loading needs more than is free.
    """
    needed = estimate_config(spec, config, dtype).peak_loading
    free = available_memory(device, all_gpus=spec.device_map is not None)
    if needed <= free:
        return
    place = "all GPUs together" if spec.device_map else str(device)
    packing = f", packed to {spec.quantise} bits," if spec.quantise else ""
    raise SondeError(
        f"{spec.name} in {str(dtype).removeprefix('torch.')}{packing} needs {needed / GB:.1f} GB "
        f"to load, and {free / GB:.1f} GB are free on {place}.",
        fix=_advice(spec, config, device, free),
    )


def _advice(spec: ModelSpec, config: Any, device: torch.device, free: int) -> str:
    def needs(dtype: torch.dtype, **changes: Any) -> int:
        other = spec.model_copy(update=changes)
        return estimate_config(other, config, dtype).peak_loading

    ways: list[str] = []
    half = needs(torch.bfloat16)
    if dtype_of(spec, device).itemsize > 2 and half <= free:
        ways.append(f"load it with dtype='bfloat16' ({half / GB:.1f} GB)")
    if device.type == "cuda" and not spec.name.startswith("random:"):
        packed = {bits: needs(torch.bfloat16, quantise=bits) for bits in (8, 4)}
        fitting = [bits for bits, size in packed.items() if size <= free]
        ways += [f"pack it with quantise={bits} ({packed[bits] / GB:.1f} GB)" for bits in fitting]
        if torch.cuda.device_count() > 1 and spec.device_map is None:
            ways.append("spread it over the GPUs with device_map='auto'")
    smaller = _largest_that_fits(config, free / dtype_of(spec, device).itemsize)
    if smaller is not None:
        ways.append(f"use a smaller model such as {smaller.name}")
    ways.append("use a machine with more memory, or free some")
    text = "; or ".join(ways)
    return text[0].upper() + text[1:] + "."


def _largest_that_fits(config: Any, parameters: float) -> Entry | None:
    """Return the largest catalog entry of the same kind, with a tenth to spare."""
    from sonde.core.files import read_json

    kinds = {config.model_type, config.get_text_config().model_type}
    fitting = [
        entry
        for entry in catalog().values()
        if entry.n_parameters * 1.1 <= parameters and read_json(entry.path)["model_type"] in kinds
    ]
    return max(fitting, key=lambda entry: entry.n_parameters, default=None)
