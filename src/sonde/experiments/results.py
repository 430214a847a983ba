"""What lies at a path: a stage's result, an experiment's folder, a store, a probe."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter

from sonde.core.errors import SondeError
from sonde.core.files import read_json
from sonde.experiments.folder import Done, ResultFolder
from sonde.experiments.runner import VARIANTS
from sonde.experiments.stage import DONE, Stage
from sonde.experiments.stages import AnyStage

Kind: TypeAlias = Literal["probe", "store", "result", "experiment"]
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Found:
    """What a path holds, and the folder or file itself."""

    kind: Kind
    path: Path


def identify(path: Path) -> Found:
    """Say what lies at a path.

    Raises:
        SondeError: nothing is there, or nothing that sonde wrote.
    """
    if path.is_file() and path.suffix == ".safetensors":
        return Found("probe", path)
    if path.is_file() and path.name in (DONE, MANIFEST, VARIANTS):
        return identify(path.parent)
    if (path / DONE).is_file():
        return Found("result", path)
    if (path / MANIFEST).is_file():
        return Found("store", path)
    if (path / VARIANTS).is_file():
        return Found("experiment", path)
    if not path.exists():
        raise SondeError(f"{path} does not exist.")
    raise SondeError(
        f"{path} is nothing that sonde wrote, or is unfinished.",
        fix="Give a probe's .safetensors file, a store of activations, or a folder below runs/.",
    )


def verify(path: Path) -> list[str]:
    """Compare everything at a path with its recorded hashes; an empty list means all is well.

    Raises:
        SondeError: nothing is there that could be verified.
    """
    found = identify(path)
    if found.kind == "probe":
        from sonde.probes.artifact import load_probe

        try:
            load_probe(found.path)
        except SondeError as error:
            return [str(error)]
        return []
    if found.kind == "store":
        from sonde.activations.verify import verify_store

        return [str(problem) for problem in verify_store(found.path)]
    if found.kind == "result":
        return verify_result(found.path)
    return [
        problem for folder in experiment_folders(found.path) for problem in verify_result(folder)
    ]


def verify_result(folder: Path) -> list[str]:
    """Compare one stage's result with the hashes in its marker, and its store with its own."""
    try:
        done = ResultFolder(folder).done
        stage = stage_of(done) if done is not None else None
    except SondeError as error:
        return [str(error)]
    store = stage.store if stage is not None else ""
    problems = ResultFolder(folder).problems(store=store)
    return problems + (stage.verify(folder) if stage is not None else [])


def stage_of(done: Done) -> Stage:
    """Return the settings of a finished stage, as far as a reader needs them.

    Raises:
        SondeError: the marker was written by another sonde, and this one does not know the kind.
    """
    files: Mapping[str, Any] = {
        name: f"sha256:{hash_}" for name, hash_ in done.made_of["files"].items()
    }
    adapter: TypeAdapter[Stage] = TypeAdapter(AnyStage)
    try:
        return adapter.validate_python({**done.made_of["settings"], **files})
    except ValueError as error:
        raise SondeError(
            f"A result of kind {done.kind!r} (sonde {done.sonde_version}) cannot be read: {error}"
        ) from None


def experiment_folders(root: Path) -> tuple[Path, ...]:
    """Return the folders of all results that the last run of an experiment used."""
    folders = [
        root / folder
        for variant in read_json(root / VARIANTS)
        for folder in variant["stages"].values()
    ]
    return tuple(dict.fromkeys(folders))
