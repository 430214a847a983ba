"""Which weights a model's name stands for, without loading them."""

import hashlib
import sys
from pathlib import Path
from typing import Any

from sonde.core.files import fingerprint
from sonde.experiments.stage import resolved_path
from sonde.models.spec import ModelSpec

SAMPLES, SAMPLE = 32, 1 << 16
RANDOM = "random:"
_FILE_ENDINGS = (".gguf", ".json")


def with_path(spec: ModelSpec, base: Path) -> ModelSpec:
    """Return the spec with a path in it resolved: one that is relative starts at ``base``.

    A name is a path if it begins like one (``./``, ``../``, ``/``, ``~``) or ends like a file.
    """
    prefix = RANDOM if spec.name.startswith(RANDOM) else ""
    name = spec.name.removeprefix(prefix)
    if not (name.startswith(("./", "../", "/", "~")) or name.endswith(_FILE_ENDINGS)):
        return spec
    path = resolved_path(name, base).resolve()
    return ModelSpec.model_validate(spec.model_dump() | {"name": f"{prefix}{path}"})


def model_identity(spec: ModelSpec) -> dict[str, Any]:
    """Return what decides a model's activations: the weights, their packing, the dtype.

    A file or folder counts by its content, not by its place. Where it runs (device) is left out:
    results of two devices agree but for rounding.
    """
    weights = _weights(spec)
    return {
        "weights": weights,
        "dtype": resolved_dtype(spec),
        "quantise": spec.quantise,
        "keep": spec.keep,
        "seed": spec.seed if spec.name.startswith(RANDOM) else None,
    }


def resolved_dtype(spec: ModelSpec) -> str:
    """Return the dtype that ``auto`` stands for on this machine."""
    if spec.dtype != "auto":
        return spec.dtype
    if spec.device == "cpu" or not _may_have_gpu():
        return "float32"
    import torch

    on_gpu = torch.cuda.is_available()
    return "bfloat16" if on_gpu and torch.cuda.is_bf16_supported() else "float32"


def _may_have_gpu() -> bool:
    """Whether it is worth asking torch, which takes seconds to import: NVIDIA, WSL or AMD's file."""
    if sys.platform != "linux":
        return True
    devices = ("nvidia[0-9]*", "dxg", "kfd")
    return any(True for pattern in devices for _ in Path("/dev").glob(pattern))


def _weights(spec: ModelSpec) -> dict[str, str]:
    from sonde.models import embedded

    name = spec.name.removeprefix(RANDOM)
    path = Path(name).expanduser()
    if spec.name == embedded.NAME:
        return {"name": spec.name, "fingerprint": embedded.FINGERPRINT}
    if path.exists():
        prefix = spec.name[: len(spec.name) - len(name)]
        return {"name": prefix + "file", "fingerprint": _content(path)}
    if spec.name.startswith(RANDOM):
        return {"name": spec.name}
    return {"name": spec.name, "revision": _commit(spec)}


def _content(path: Path) -> str:
    """Hash a file or folder: small files whole, large ones by size, ends and evenly spread pieces.

    A model's weights are too large to be read for every look-up, and two trainings differ in
    nearly every byte.
    """
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return fingerprint({str(file.relative_to(path.parent)): _sampled(file) for file in files})


def _sampled(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= SAMPLES * SAMPLE:
            digest.update(file.read())
        else:
            for number in range(SAMPLES):
                file.seek((size - SAMPLE) * number // (SAMPLES - 1))
                digest.update(file.read(SAMPLE))
    return digest.hexdigest()


def _commit(spec: ModelSpec) -> str:
    """Return the commit of a hub model: from the cache, else from the hub, else as given."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    revision = spec.revision or "main"
    folder = Path(constants.HF_HUB_CACHE) / f"models--{spec.name.replace('/', '--')}"
    reference = folder / "refs" / revision
    if reference.is_file():
        return reference.read_text().strip()
    if (folder / "snapshots" / revision).is_dir() or constants.HF_HUB_OFFLINE:
        return revision
    try:
        return HfApi().model_info(spec.name, revision=revision, timeout=10).sha or revision
    except (HfHubHTTPError, OSError, ValueError):
        # Loading comes next and says what is wrong with the name or the network.
        return revision
