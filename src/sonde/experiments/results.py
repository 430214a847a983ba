"""What lies at a path: a stage's result, an experiment's folder, all of them, a store, a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from pydantic import TypeAdapter, ValidationError

from sonde.core.base import dotted
from sonde.core.errors import SondeError
from sonde.core.files import read_json
from sonde.core.wrong_values import wrong_value
from sonde.experiments.artifacts import GGUF, LOADERS, Artifact, artifact_at, problems_of
from sonde.experiments.folder import Done, ResultFolder
from sonde.experiments.keys import with_files
from sonde.experiments.reports import VARIANTS
from sonde.experiments.stage import DONE, Stage
from sonde.experiments.stages import AnyStage

Kind: TypeAlias = Artifact | Literal["store", "result", "stage", "experiment", "runs", "file"]
MANIFEST = "manifest.json"
FILE_ENDINGS = (".yaml", ".yml")
TABLES = (".jsonl", ".csv", ".tsv", ".parquet", ".md", ".txt")
LEDGERS = (".sqlite", ".db")


@dataclass(frozen=True, slots=True)
class Found:
    """What a path holds, and the folder or file itself.

    A ``result`` is of one stage under one key, a ``stage`` has its results under all keys, ``runs``
    holds experiments, and a ``file`` is an experiment file. ``steering`` is the folder of a search.
    """

    kind: Kind
    path: Path


def identify(path: Path) -> Found:
    """Say what lies at a path.

    Raises:
        SondeError: nothing is there, or nothing that sonde wrote.
    """
    artifact = artifact_at(path)
    if artifact is not None:
        return Found(artifact, path.parent if path.suffix == ".json" else path)
    if path.is_file() and path.suffix in FILE_ENDINGS:
        return Found("file", path)
    if path.is_file() and path.name in (DONE, MANIFEST, VARIANTS):
        return identify(path.parent)
    if path.is_dir():
        kind = _kind_of_folder(path)
        if kind is not None:
            return Found(kind, path)
    if not path.exists():
        raise SondeError(f"{path} does not exist.")
    if path.is_file():
        raise _no_result(path)
    raise SondeError(
        f"{path} is nothing that sonde wrote, or is unfinished.",
        fix="Give the .safetensors file of a probe or of vectors, a store of activations, or a "
        "folder of results.",
    )


def _no_result(path: Path) -> SondeError:
    """Return what is wrong with a file: it is part of a result, a table, a ledger, or neither."""
    for folder in path.resolve().parents:
        if (folder / DONE).is_file() or (folder / MANIFEST).is_file():
            return SondeError(
                f"{path} is one file of the result in {folder}.", fix=f"Give {folder}."
            )
    if path.suffix == GGUF:
        return SondeError(
            f"{path} is a model, not a result.", fix=f"Try sonde doctor --model {path}."
        )
    if path.suffix in LEDGERS:
        return SondeError(
            f"{path} is a database, not a result.", fix=f"Try sonde ledger list --ledger {path}."
        )
    if path.suffix in TABLES:
        return SondeError(
            f"{path} is a table, of data or of runs, not a result.",
            fix="An experiment reads data (`kind: data`), and sonde ledger import reads runs.",
        )
    return SondeError(
        f"{path} is nothing that sonde wrote.",
        fix="Give the .safetensors file of a probe or of vectors, an experiment file, or a folder "
        "of results.",
    )


def _kind_of_folder(path: Path) -> Kind | None:
    if (path / DONE).is_file():
        return "result"
    if (path / MANIFEST).is_file():
        return "store"
    if _is_experiment(path):
        return "experiment"
    if any(path.glob(f"*/{DONE}")):
        return "stage"
    return "runs" if experiments_in(path) else None


def _is_experiment(path: Path) -> bool:
    """Whether a folder holds an experiment's results; one that never ended has no variants yet."""
    return (path / VARIANTS).is_file() or any(path.glob(f"*/*/{DONE}"))


def experiments_in(path: Path) -> tuple[Path, ...]:
    """Return the folders of the experiments right below a folder, by name."""
    return tuple(sorted(one for one in path.iterdir() if one.is_dir() and _is_experiment(one)))


def verify(path: Path) -> list[str]:
    """Compare everything at a path with its recorded hashes; an empty list means all is well.

    Raises:
        SondeError: nothing is there that could be verified.
    """
    found = identify(path)
    if found.kind == "file":
        raise SondeError(
            f"{path} is an experiment file, which has no recorded hashes.",
            fix="Give the folder of its results: runs/<name>, or runs for all.",
        )
    if found.kind in LOADERS:
        return problems_of(cast("Artifact", found.kind), found.path)
    if found.kind == "store":
        from sonde.activations.verify import verify_store

        return [str(problem) for problem in verify_store(found.path)]
    return [problem for folder in result_folders(found) for problem in verify_result(folder)]


def result_folders(found: Found) -> tuple[Path, ...]:
    """Return the folders of all results at a path; those that a run used, finished or not."""
    if found.kind == "result":
        return (found.path,)
    if found.kind == "stage":
        return _finished(found.path, f"*/{DONE}")
    roots = experiments_in(found.path) if found.kind == "runs" else (found.path,)
    folders: list[Path] = []
    for root in roots:
        folders += experiment_folders(root) if (root / VARIANTS).is_file() else ()
        folders += _finished(root, f"*/*/{DONE}")
    return tuple(dict.fromkeys(folders))


def _finished(root: Path, pattern: str) -> tuple[Path, ...]:
    return tuple(sorted(marker.parent for marker in root.glob(pattern)))


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
        return adapter.validate_python(with_files(done.made_of["settings"], files))
    except ValidationError as error:
        item = error.errors()[0]
        unknown = item["type"] == "union_tag_invalid"
        why = "there is no such kind" if unknown else f"{dotted(item['loc'])}{wrong_value(item)}"
        raise SondeError(
            f"A result of kind {done.kind!r} cannot be read: {why.rstrip('.')}.",
            fix=f"Read it with sonde {done.sonde_version}, which wrote it, or run its stage again.",
        ) from None


def experiment_folders(root: Path) -> tuple[Path, ...]:
    """Return the folders of all results that the last run of an experiment used."""
    folders = [
        root / folder
        for variant in read_json(root / VARIANTS)
        for folder in variant["stages"].values()
    ]
    return tuple(dict.fromkeys(folders))
