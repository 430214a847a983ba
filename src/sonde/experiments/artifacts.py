"""Single files and folders that sonde writes outside of stores: probes, erasers, vectors, searches.

A new kind is one line in ``LOADERS``, and one in what ``sonde show`` prints.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, cast

from sonde.core.errors import SondeError

Artifact: TypeAlias = Literal["probe", "eraser", "vector", "vectors", "steering"]
KEY = "sonde"
STEERING = "steering.json"


def artifact_at(path: Path) -> Artifact | None:
    """Say what a file or folder is; None where it is none of these.

    A safetensors file that does not say counts as a probe, whose loading names what is wrong.
    """
    if path.is_file() and path.name == STEERING:
        return "steering"
    if path.is_file() and path.suffix == ".safetensors":
        said = _header(path).get("artifact")
        return cast("Artifact", said) if said in LOADERS else "probe"
    return "steering" if (path / STEERING).is_file() else None


def problems_of(artifact: Artifact, path: Path) -> list[str]:
    """Load an artifact as its user would; return what is wrong with it."""
    try:
        LOADERS[artifact](path)
    except SondeError as error:
        return [str(error)]
    return []


def _header(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError, safe_open

    opening: Any = safe_open
    try:
        with opening(path, framework="np") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
            given = json.loads(metadata.get(KEY, ""))
    except (SafetensorError, OSError, json.JSONDecodeError):
        return {}
    return cast("dict[str, Any]", given) if isinstance(given, dict) else {}


def _probe(path: Path) -> Any:
    from sonde.probes.artifact import load_probe

    return load_probe(path)


def _eraser(path: Path) -> Any:
    from sonde.probes.eraser_file import load_eraser

    return load_eraser(path)


def _vector(path: Path) -> Any:
    from sonde.vectors.artifact import load_vector

    return load_vector(path)


def _vectors(path: Path) -> Any:
    from sonde.vectors.set_artifact import load_vectors

    return load_vectors(path)


def _steering(path: Path) -> Any:
    from sonde.steering.results_file import load_results

    return load_results(path)


LOADERS: Mapping[Artifact, Callable[[Path], Any]] = MappingProxyType(
    {
        "probe": _probe,
        "eraser": _eraser,
        "vector": _vector,
        "vectors": _vectors,
        "steering": _steering,
    }
)
