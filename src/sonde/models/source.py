"""What a model's name stands for: the embedded model, a hub repository, a file, random weights."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from sonde.core.errors import SondeError, nearest
from sonde.core.files import read_json
from sonde.models import embedded
from sonde.models.entries import Entry, catalog, find, nearest_entry
from sonde.models.spec import ModelSpec

RANDOM = "random:"


@dataclass(frozen=True, slots=True)
class Embedded:
    """The model that comes in a Python package."""


@dataclass(frozen=True, slots=True)
class Hub:
    """A repository on the Hugging Face hub, with its catalog entry where it has one."""

    repository: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Folder:
    """A local folder as transformers saves it."""

    path: Path


@dataclass(frozen=True, slots=True)
class GgufPath:
    """A local GGUF file."""

    path: Path


@dataclass(frozen=True, slots=True)
class Random:
    """Random weights for a configuration, given as the keys of a ``config.json``.

    It was taken from a family's tiny configuration, a catalog entry or a folder.
    """

    config: dict[str, Any]
    family: str | None = None
    entry: Entry | None = None
    folder: Path | None = None


Source: TypeAlias = Embedded | Hub | Folder | GgufPath | Random


def resolve(spec: ModelSpec) -> Source:
    """Find out what the name of a model stands for, without network.

    ``random:gpt2`` is the tiny configuration of that family, as for the other families; the model
    at real size is ``random:gpt2-small``.

    Raises:
        SondeError: nothing goes by this name, or a setting has no meaning for it.
    """
    name = spec.name
    source = _random(name) if name.startswith(RANDOM) else _real(name)
    if spec.revision is not None and not isinstance(source, Hub):
        raise SondeError(
            f"revision={spec.revision!r} was given for {name!r}, which is not on the hub.",
            fix="Leave revision out: only repositories on the hub have revisions.",
        )
    if spec.keep is not None and not isinstance(source, Random):
        raise SondeError(
            f"keep={spec.keep!r} was given for {name!r}, whose weights are all real.",
            fix=f"keep is for models with random weights: {RANDOM}{name}.",
        )
    return source


def _real(name: str) -> Source:
    entry = find(name)
    if entry is not None and entry.name == embedded.NAME and "/" not in name:
        return Embedded()
    if entry is not None:
        return Hub(entry.hub_id, entry)
    path = Path(name).expanduser()
    if path.suffix.lower() == ".gguf":
        if path.is_file():
            return GgufPath(path)
        raise SondeError(f"The GGUF file {name} does not exist.", fix="Check the path.")
    if path.is_dir():
        if (path / "config.json").is_file():
            return Folder(path)
        raise SondeError(
            f"The folder {name} holds no config.json, so it is not a model as transformers "
            "saves it.",
            fix=_hint_at_contents(path),
        )
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", name):
        return Hub(name, None)
    looks_like_a_path = "/" in name or path.is_file()
    raise SondeError(
        f"{name} is neither a folder nor a GGUF file."
        if looks_like_a_path
        else f"There is no model {name!r}.{nearest_entry(name)}",
        fix="Give a catalog name (`sonde models` lists them), a hub id such as "
        "EleutherAI/pythia-70m, a folder, a .gguf file, or random:<catalog name or family>.",
    )


def _hint_at_contents(folder: Path) -> str:
    files = sorted(folder.glob("*.gguf"))
    return f"Give the GGUF file in it: {files[0]}." if files else "Give the folder with that file."


def _random(name: str) -> Random:
    from sonde.models.families import FAMILIES

    wanted = name.removeprefix(RANDOM)
    family = FAMILIES.get(wanted)
    if family is not None:
        return Random({"model_type": family.model_type, **family.tiny}, family=wanted)
    entry = find(wanted)
    if entry is not None:
        return Random(read_json(entry.path), entry=entry)
    path = Path(wanted).expanduser()
    file = path / "config.json" if path.is_dir() else path
    if file.is_file():
        config = read_json(file)
        if not isinstance(config, dict) or "model_type" not in config:
            raise SondeError(
                f"{file} has no model_type, so it is not a model's configuration.",
                fix="Give the config.json of a transformers model.",
            )
        return Random(config, folder=file.parent)
    raise SondeError(
        f"{wanted!r} is not a catalog name, a family or a configuration file, so there is nothing "
        f"to make a random model of.{nearest(wanted, [*FAMILIES, *catalog()])}",
        fix=f"Families are {', '.join(FAMILIES)}; `sonde models` lists the catalog.",
    )


def cached_tokenizer(source: Random) -> Path | None:
    """Return the folder of a catalog model's own tokenizer, if the hub's cache has it.

    As a control, a random model must read the tokens that the real one reads. The folder is named
    by the commit.
    """
    from sonde.models import hub

    if source.entry is None or source.entry.name == embedded.NAME:
        return None
    return hub.cached_tokenizer(source.entry.hub_id)
