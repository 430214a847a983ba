"""sonde's own files: one safetensors file whose header says what it is."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from sonde.activations.origin import Origin
from sonde.core.artifact_file import KEY
from sonde.dictionaries.artifact import Figure, load_dictionary, save_dictionary
from sonde.dictionaries.formats.content import Content, Format, HookPoints, Loaded
from sonde.dictionaries.formats.naive.sonde_files import forward
from sonde.dictionaries.formats.weights import made_like


def _load(path: Path, where: str) -> Content:
    dictionary, header = load_dictionary(path)
    tensors = {name: one.detach() for name, one in dictionary.state_dict().items()}
    return Content(where, header.model_dump(mode="json"), tensors)


def _read(content: Content, given: HookPoints) -> Loaded:
    changes = {"sources": given.sources, "targets": given.targets}
    said = {name: list(hooks) for name, hooks in changes.items() if hooks}
    dictionary = made_like({**content.settings["architecture"], **said}, content.tensors)
    note, trained = content.settings["note"], content.settings["trained"]
    origin = Origin.model_validate(content.settings["origin"])
    metrics = _figures(content)
    return Loaded(dictionary, origin, trained=trained, metrics=metrics).noting(note)


def _make(loaded: Loaded) -> Content:
    settings = {
        "architecture": loaded.architecture.model_dump(mode="json"),
        "origin": loaded.origin.model_dump(mode="json"),
        "trained": dict(loaded.trained),
        "metrics": {name: one.model_dump(mode="json") for name, one in loaded.metrics.items()},
    }
    tensors = {name: one.detach() for name, one in loaded.dictionary.state_dict().items()}
    return Content("the new file", settings, tensors, loaded.notes)


def _save(content: Content, path: Path) -> None:
    dictionary = made_like(content.settings["architecture"], content.tensors)
    origin = Origin.model_validate(content.settings["origin"])
    note, trained = " ".join(content.notes), content.settings["trained"]
    save_dictionary(dictionary, path, origin, note, trained=trained, metrics=_figures(content))


def _figures(content: Content) -> dict[str, Figure]:
    return {name: Figure(**one) for name, one in content.settings["metrics"].items()}


def _finds(path: Path) -> bool:
    if not (path.is_file() and path.suffix == ".safetensors"):
        return False
    try:
        opened: Any = safe_open(path, framework="pt")
        with opened as file:
            header = json.loads((file.metadata() or {}).get(KEY, "{}"))
    except (SafetensorError, OSError, json.JSONDecodeError):
        return False
    return isinstance(header, dict) and header.get("artifact") == "dictionary"


SONDE = Format("sonde", "sonde", _finds, _load, _read, forward, _make, _save, single_file=True)
