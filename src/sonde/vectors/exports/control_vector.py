"""GGUF control vectors, as llama.cpp and repeng read them.

A tensor ``direction.<N>`` is added to what block N returns, blocks counted from 0 as in
``blocks.<N>.resid_post``. llama.cpp keeps no vector for block 0 (its buffer starts at layer 1), so
one there is refused.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sonde import __version__
from sonde.activations.origin import Origin
from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_atomic
from sonde.core.hooks import HookPoint, Site
from sonde.vectors.artifact import VectorEntry
from sonde.vectors.exports.layers import by_layer, checksum, is_reversed, stated
from sonde.vectors.exports.settings import ExportUnit
from sonde.vectors.vector import Number, Vector
from sonde.vectors.vector_set import VectorSet

ARCHITECTURE = "controlvector"
PREFIX = "direction."
REVERSED = "sonde.reversed"
CHECKSUM = "sonde.checksum"


def write_control_vector(
    vectors: Iterable[Vector],
    path: str | Path,
    *,
    unit: ExportUnit = "raw",
    coefficient: Number = 1.0,
) -> Path:
    """Write a control vector for ``llama-server --control-vector`` or ``repeng``; return the path.

    Raises:
        SondeError: a vector is of block 0, or as ``by_layer``.
    """
    given = list(vectors)
    directions = by_layer(given, unit, coefficient)
    if 0 in directions:
        raise SondeError(
            "llama.cpp has no place for a control vector of block 0.",
            fix="Leave layer 0 out: vectors.select(layer=range(1, …)).",
        )
    said = stated(unit, coefficient)
    return write_gguf(Path(path), given, directions, said, direction_said(unit, coefficient))


def direction_said(unit: ExportUnit, coefficient: Number) -> dict[str, str]:
    """Return what a header has of a negative coefficient, after which a file points backwards."""
    return {REVERSED: "yes"} if is_reversed(unit, coefficient) else {}


def write_gguf(
    path: Path,
    vectors: list[Vector],
    directions: Mapping[int, np.ndarray],
    unit: str,
    more: Mapping[str, str],
) -> Path:
    """Write the file; ``more`` are further texts of its header."""
    import gguf

    ordered = sorted(vectors, key=lambda one: one.layer)
    header = {
        "origin": ordered[0].origin.model_dump(mode="json"),
        "vectors": [VectorEntry.of(one).model_dump(mode="json") for one in ordered],
    }

    def write(aside: Path) -> None:
        writer = gguf.GGUFWriter(str(aside), ARCHITECTURE)
        writer.add_string(f"{ARCHITECTURE}.model_hint", ordered[0].origin.model)
        writer.add_uint32(f"{ARCHITECTURE}.layer_count", len(directions))
        for name, text in more.items():
            writer.add_string(name, text)
        writer.add_string("sonde.unit", unit)
        writer.add_string(CHECKSUM, checksum(directions, unit))
        writer.add_string("sonde.version", __version__)
        writer.add_string("sonde.header", canonical_json(header))
        for layer, direction in directions.items():
            writer.add_tensor(f"{PREFIX}{layer}", direction)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()

    write_atomic(path, write)
    return path


def read_control_vector(path: str | Path) -> VectorSet:
    """Read a control vector: ours with all that is known of it, others' as directions alone.

    Of another tool's file the length is kept as ``length``, the model hint as the origin's model,
    and there is no typical norm.

    Raises:
        SondeError: the file is missing, is not GGUF, is not a control vector, or holds a direction
            that is zero or not a vector.
    """
    metadata, directions = read_gguf(Path(path))
    found = [_vector(layer, values, metadata) for layer, values in directions.items()]
    unit = metadata.get("sonde.unit")
    notes = (f"The file had {unit}.",) if unit else ("The unit of the file's scale is not known.",)
    return VectorSet(tuple(found), {}, notes)


def read_gguf(file: Path) -> tuple[dict[str, Any], dict[int, np.ndarray]]:
    """Return the header of a control vector, and what it adds by block.

    Raises:
        SondeError: as ``read_control_vector``.
    """
    metadata, tensors = _read(file)
    directions: dict[int, np.ndarray] = {}
    for name, data in tensors.items():
        number = name.removeprefix(PREFIX)
        if not name.startswith(PREFIX):
            continue
        values = np.asarray(data, np.float64)
        if not number.isdecimal() or values.ndim != 1 or not np.linalg.norm(values) > 0:
            raise SondeError(
                f"{file}: {name} is not a direction of a block, of shape {list(values.shape)}.",
                fix="Write the control vector again with the tool that made it.",
            )
        directions[int(number)] = values
    if not directions:
        raise SondeError(f"{file} holds no direction.", fix="Give a control vector's GGUF file.")
    kept = metadata.get(CHECKSUM)
    as_written = {layer: values.astype(np.float32) for layer, values in directions.items()}
    if kept is not None and kept != checksum(as_written, str(metadata.get("sonde.unit"))):
        raise SondeError(f"{file} was altered after it was written.", fix="Export it again.")
    return metadata, dict(sorted(directions.items()))


def _read(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    import gguf

    try:
        reader = gguf.GGUFReader(file)
        metadata = {name: field.contents() for name, field in reader.fields.items()}
        tensors = {one.name: np.array(one.data) for one in reader.tensors}
    except FileNotFoundError:
        raise SondeError(f"{file} does not exist.") from None
    except (ValueError, IndexError, KeyError) as error:
        raise SondeError(
            f"{file} cannot be read as GGUF: {error}.", fix="Copy or make it again."
        ) from None
    if metadata.get("general.architecture") != ARCHITECTURE:
        raise SondeError(
            f"{file} is not a control vector but holds {metadata.get('general.architecture')!r}.",
            fix="Give a control vector's GGUF file.",
        )
    return metadata, tensors


def _vector(layer: int, values: np.ndarray, metadata: Mapping[str, Any]) -> Vector:
    length = float(np.linalg.norm(values))
    sign = -1 if REVERSED in metadata else 1
    direction = torch.from_numpy((sign * values / length).astype(np.float32))
    header = json.loads(metadata["sonde.header"]) if "sonde.header" in metadata else None
    if header is not None:
        where = "The header of a control vector"
        origin = validated(Origin, header["origin"], where=where)
        for one in header["vectors"]:
            entry = validated(VectorEntry, one, where=where)
            if entry.hook == str(HookPoint(layer, Site.RESID_POST)):
                return entry.vector(direction, origin)
    return Vector(
        method=str(metadata.get(f"{ARCHITECTURE}.method", "imported")),
        hook=HookPoint(layer, Site.RESID_POST),
        position="all.each",
        direction=direction,
        origin=Origin(model=str(metadata.get(f"{ARCHITECTURE}.model_hint", ""))),
        length=length,
        note="read from a GGUF control vector",
    )
