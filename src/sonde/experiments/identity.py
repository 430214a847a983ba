"""Which weights a model's name stands for, without loading them."""

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any, cast

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.experiments.stage import resolved_path
from sonde.models.spec import ModelSpec

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

    Raises:
        SondeError: nothing goes by the model's name, or the hub cannot say which commit it is.
    """
    return {
        "weights": _known(_weights(cast("Any", spec))),
        "dtype": resolved_dtype(spec),
        "quantise": spec.quantise,
        "seed": spec.seed if spec.name.startswith(RANDOM) else None,
        "keep": spec.keep,
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
    """Whether a device file of NVIDIA, WSL or AMD makes it worth asking torch, slow to import."""
    if sys.platform != "linux":
        return True
    devices = ("nvidia[0-9]*", "dxg", "kfd")
    return any(True for pattern in devices for _ in Path("/dev").glob(pattern))


def _known(found: dict[str, str] | SondeError) -> dict[str, str]:
    if isinstance(found, SondeError):
        raise found
    return found


@cache
def _weights(spec: ModelSpec) -> dict[str, str] | SondeError:
    """Return what names the weights, or why nothing does.

    Asked once a process, because a hub may be far: one that does not answer takes seconds to say
    so, and every stage would ask again.
    """
    try:
        return _asked(spec)
    except SondeError as error:
        return error


def _asked(spec: ModelSpec) -> dict[str, str]:
    from sonde.models import embedded, source

    found = source.resolve(spec)
    match found:
        case source.Embedded():
            return {"name": spec.name, "fingerprint": embedded.FINGERPRINT}
        case source.Hub(repository=repository):
            return {"name": repository, "revision": _commit(repository, spec.revision)}
        case source.Folder(path=path):
            from sonde.models.checkpoint import fingerprint_folder

            return {"name": "folder", "fingerprint": fingerprint_folder(path)}
        case source.GgufPath(path=path):
            from sonde.models.checkpoint import digest

            return {"name": "gguf", "fingerprint": digest(path)}
        case source.Random(config=config):
            named = {"name": "random", "fingerprint": fingerprint(config)}
            # With kept embeddings the tokenizer is always the real one, fetched with them.
            cached = None if spec.keep else source.cached_tokenizer(found)
            return named if cached is None else named | {"tokenizer": cached.name}


def _commit(repository: str, revision: str | None) -> str:
    """Return the commit that loading will take: the one asked for, or the newest."""
    if revision is not None and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    from sonde.models import hub

    return hub.look_up(repository, revision).commit
