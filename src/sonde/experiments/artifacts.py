"""Files and folders outside of stores: probes, vectors, dictionaries, exports, searches.

A new kind is one line in ``LOADERS``, and one in what ``sonde show`` prints.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, cast

from sonde.core.errors import SondeError
from sonde.core.files import read_json
from sonde.experiments.stage import DONE

Artifact: TypeAlias = Literal[
    "probe",
    "probe results",
    "eraser",
    "vector",
    "vectors",
    "dictionary",
    "dictionary samples",
    "steering",
    "control vector",
    "steering-vectors",
]
KEY = "sonde"
STEERING = "steering.json"
RESULTS = "results.json"
SAMPLES = "samples.json"
DICTIONARY = "dictionary.safetensors"
GGUF = ".gguf"


def artifact_at(path: Path) -> Artifact | None:
    """Say what a file or folder is; None where it is none of these.

    A safetensors file that does not say counts as a probe, whose loading names what is wrong.
    """
    if path.is_file() and path.name == STEERING:
        return "steering"
    if path.is_file() and path.suffix == ".safetensors":
        said = _header(path).get("artifact")
        return cast("Artifact", said) if said in LOADERS else "probe"
    if path.is_file() and path.suffix == GGUF:
        return "control vector" if _is_control_vector(path) else None
    return _folder_at(path)


def _folder_at(path: Path) -> Artifact | None:
    """Say what a folder is, or the file in it that names its other files."""
    if (path / STEERING).is_file():
        return "steering"
    if path.name == SAMPLES or (path / SAMPLES).is_file():
        return "dictionary samples"
    if (path / DICTIONARY).is_file() and not (path / DONE).is_file():
        return "dictionary"
    return "probe results" if _holds_results(path) else None


def problems_of(artifact: Artifact, path: Path) -> list[str]:
    """Load an artifact as its user would; return what is wrong with it."""
    try:
        LOADERS[artifact](path)
    except SondeError as error:
        return [str(error)]
    return []


def _holds_results(path: Path) -> bool:
    """Whether a file is the ``results.json`` of probes, or a folder has one."""
    file = path if path.name == RESULTS else path / RESULTS
    try:
        given = read_json(file) if file.is_file() else None
    except SondeError:
        return False
    return isinstance(given, dict) and cast("Any", given).get("artifact") == "probe results"


def _is_control_vector(path: Path) -> bool:
    """Whether a GGUF is a control vector, or is broken, which its loading says; else a model."""
    from gguf import GGUFReader

    try:
        field = GGUFReader(path).get_field("general.architecture")
    except (ValueError, IndexError, KeyError):
        return True
    return field is not None and field.contents() == "controlvector"


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


def _probe_results(path: Path) -> Any:
    from sonde.probes.results_folder import load_results

    return load_results(path)


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


def _dictionary(path: Path) -> Any:
    from sonde.dictionaries.artifact import load_dictionary
    from sonde.dictionaries.samples import load_samples

    file = path / DICTIONARY if path.is_dir() else path
    beside = file.parent / "samples"
    return load_dictionary(file), load_samples(beside) if (beside / SAMPLES).is_file() else None


def _samples(path: Path) -> Any:
    from sonde.dictionaries.samples import load_samples

    return load_samples(path)


def _export(path: Path) -> Any:
    from sonde.vectors.exports.contents import read_export

    found = read_export(path)
    if not found.sonde_version:
        raise SondeError(
            f"{path} was written by another tool and has no recorded hash.",
            fix="What it holds can be seen with sonde show.",
        )
    return found


LOADERS: Mapping[Artifact, Callable[[Path], Any]] = MappingProxyType(
    {
        "probe": _probe,
        "probe results": _probe_results,
        "eraser": _eraser,
        "vector": _vector,
        "vectors": _vectors,
        "dictionary": _dictionary,
        "dictionary samples": _samples,
        "steering": _steering,
        "control vector": _export,
        "steering-vectors": _export,
    }
)
