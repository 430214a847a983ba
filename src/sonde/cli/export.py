"""``sonde export``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sonde.cli.show_export import print_export
from sonde.core.base import validated
from sonde.core.errors import SondeError, nearest
from sonde.experiments.exporting import ToExport, of_search, of_vectors, write_export
from sonde.experiments.folder import ResultFolder
from sonde.experiments.results import Found, identify, result_folders
from sonde.vectors.exports.settings import KEYS, ExportUnit, Selection

VECTORS, STEERING = "vectors.safetensors", "steering"
UNITS: dict[str, ExportUnit] = {"raw": "raw", "unit_length": "unit_length"}


def export(
    source: Path,
    to: str,
    out: Path,
    select: Sequence[str],
    coefficient: float | None,
    unit: str,
) -> None:
    """Write vectors of a file or a result for another tool; print what the file then holds.

    Raises:
        SondeError: the source holds no vectors, the selection is not clear, the unit or format is
            unknown, or the vectors do not fit the format.
    """
    if unit not in UNITS:
        raise SondeError(
            f"{unit!r} is not a unit for a file.{nearest(unit, UNITS)}",
            fix=f"Units are {', '.join(UNITS)}.",
        )
    chosen = _chosen(source, read_selection(select), coefficient)
    print_export(write_export(chosen, out, to=to, unit=UNITS[unit]), chosen.notes)


def read_selection(texts: Sequence[str]) -> Selection:
    """Read ``method=probe,layer=14,15``: keys with one value, of layers several.

    Raises:
        SondeError: a key is unknown or stands twice, or a value is not valid.
    """
    found: dict[str, list[str]] = {}
    key = ""
    for part in (part.strip() for text in texts for part in text.split(",")):
        name, is_pair, value = part.partition("=")
        if is_pair and name in found:
            raise SondeError(f"--select names {name} twice.", fix="Several layers: layer=14,15.")
        key = name if is_pair else key
        if not key or not (is_pair or key == "layer"):
            raise SondeError(
                f"--select {part!r} is not KEY=VALUE.", fix="Write method=probe,layer=15."
            )
        found.setdefault(key, []).append(value if is_pair else part)
    given: dict[str, Any] = {name: values[0] for name, values in found.items()}
    if "layer" in given and given["layer"] not in ("best", "all"):
        given["layer"] = found["layer"]
    unknown = [name for name in given if name not in KEYS]
    if unknown:
        raise SondeError(
            f"--select knows no {unknown[0]!r}.{nearest(unknown[0], KEYS)}",
            fix=f"Keys are {', '.join(KEYS)}.",
        )
    return validated(Selection, given, where="--select")


def _chosen(source: Path, selection: Selection, coefficient: float | None) -> ToExport:
    from sonde.vectors.vector import Vector
    from sonde.vectors.vector_set import VectorSet

    found = identify(source)
    if found.kind == "vector":
        return of_vectors(VectorSet((Vector.load(found.path),)), selection, coefficient)
    if found.kind == "vectors":
        return of_vectors(VectorSet.load(found.path), selection, coefficient)
    if found.kind == "steering":
        return _of_search(found.path.parent, selection, coefficient)
    if found.kind in ("result", "stage"):
        folder = _only_result(found)
        done = ResultFolder(folder).done
        kind = "" if done is None else done.kind
        if kind == "vectors":
            return of_vectors(VectorSet.load(folder / VECTORS), selection, coefficient)
        if kind == "steer":
            return _of_search(folder, selection, coefficient)
        raise _no_vectors(source, f"is a result of the kind {kind!r}")
    raise _no_vectors(source, "holds no vectors of its own")


def _no_vectors(source: Path, what: str) -> SondeError:
    return SondeError(
        f"{source} {what}.",
        fix="Give a file of vectors, or the folder of a vectors or steer stage: runs/NAME/STAGE.",
    )


def _only_result(found: Found) -> Path:
    folders = list(result_folders(found))
    if len(folders) > 1:
        raise SondeError(
            f"{found.path} has {len(folders)} results, of other settings or inputs.",
            fix=f"Give one of them: {', '.join(str(folder) for folder in folders)}.",
        )
    return folders[0]


def _of_search(folder: Path, selection: Selection, coefficient: float | None) -> ToExport:
    from sonde.steering.results import SteeringResults
    from sonde.vectors.vector_set import VectorSet

    return of_search(
        SteeringResults.load(folder / STEERING),
        VectorSet.load(_vectors_of(folder)),
        selection,
        coefficient,
    )


def _vectors_of(folder: Path) -> Path:
    """Return the file of the vectors that the search in a result's folder was made with.

    Raises:
        SondeError: the folder is not a stage's, or its vectors are not beside it any more.
    """
    done = ResultFolder(folder).done if folder.is_dir() else None
    if done is None:
        raise SondeError(
            f"{folder} holds what a search found, and not its vectors.",
            fix="Give the file of its vector with --coefficient; `sonde show` says which is best.",
        )
    name = str(done.made_of["settings"]["vectors"])
    path = folder.parent.parent / name / done.made_of["inputs"][name] / VECTORS
    if not path.is_file():
        raise SondeError(
            f"The vectors of {folder} are not at {path}.",
            fix="Run the experiment again: what is there is not made again.",
        )
    return path
