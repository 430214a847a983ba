"""A set of vectors as one safetensors file: stacked directions, and a table in its header.

Tensors are ``direction.<width>`` ``[vector, width]``, the vectors of that width in the order of
the table, and for each position that was scored ``held_out.<number>`` ``[vector, row]``.
"""

from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor

from sonde import __version__
from sonde.activations.origin import Origin
from sonde.core.artifact_file import ALTERED, KEY, plain, read_file
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_atomic
from sonde.vectors.artifact import VectorEntry
from sonde.vectors.vector import Vector
from sonde.vectors.vector_set import HeldOut, VectorSet

FORMAT = 1


class TableRow(Config):
    """One vector of the table: its width, and where in ``origins`` it comes from."""

    width: int
    origin: int
    vector: VectorEntry


class HeldOutHeader(Config):
    """The rows of a position: ``said`` names the vectors that the tensor has a row of."""

    position: str
    example: tuple[str, ...]
    unit: tuple[str, ...]
    truth: tuple[int, ...]
    said: tuple[str, ...]


class SetHeader(Config):
    """The header of a set's file."""

    artifact: str
    format: int
    sonde_version: str
    origins: tuple[Origin, ...]
    table: tuple[TableRow, ...]
    held_out: tuple[HeldOutHeader, ...]
    notes: tuple[str, ...]
    same: dict[str, str] = Field(default_factory=dict)  # older files have none


def save_vectors(vectors: VectorSet, path: Path) -> Path:
    """Write a set atomically; return the path."""
    origins = list(dict.fromkeys(one.origin.model_dump_json() for one in vectors))
    header = SetHeader(
        artifact="vectors",
        format=FORMAT,
        sonde_version=__version__,
        origins=tuple(Origin.model_validate_json(one) for one in origins),
        table=tuple(
            TableRow(
                width=one.d_model,
                origin=origins.index(one.origin.model_dump_json()),
                vector=VectorEntry.of(one),
            )
            for one in vectors
        ),
        held_out=tuple(_held_out_header(*pair) for pair in vectors.held_out.items()),
        notes=vectors.notes,
        same=dict(vectors.same),
    )
    tensors = {f"direction.{width}": _stacked(vectors, width) for width in _widths(vectors)}
    for number, held in enumerate(vectors.held_out.values()):
        said = [np.asarray(row, np.float64) for row in held.said.values()]
        whole = np.stack(said) if said else np.zeros((0, len(held.truth)))
        tensors[f"held_out.{number}"] = torch.from_numpy(whole)
    text = canonical_json(header.model_dump(mode="json"))
    write_atomic(path, lambda aside: save_file(tensors, aside, metadata={KEY: text}))
    return path


def load_vectors(path: Path) -> VectorSet:
    """Read a set.

    Raises:
        SondeError: the file is missing, damaged, not a set of vectors, or of a later format.
    """
    given, tensors = read_file(path, "vectors", "a set of vectors", FORMAT)
    header = validated(SetHeader, given, where=f"The header of {path}")
    next_of: dict[int, int] = {}
    vectors: list[Vector] = []
    for row in header.table:
        at = next_of.setdefault(row.width, 0)
        next_of[row.width] += 1
        stack = tensors.get(f"direction.{row.width}")
        whole = stack is not None and stack.ndim == 2 and stack.shape[1] == row.width
        if stack is None or not whole or at >= len(stack) or row.origin >= len(header.origins):
            raise SondeError(
                f"{path} is not whole: vector {len(vectors)} of its table has no direction.",
                fix=ALTERED,
            )
        vectors.append(row.vector.vector(stack[at].clone(), header.origins[row.origin]))
    held = {
        one.position: _held_out(path, one, tensors.get(f"held_out.{number}"))
        for number, one in enumerate(header.held_out)
    }
    return VectorSet(tuple(vectors), held, header.notes, header.same)


def _widths(vectors: VectorSet) -> list[int]:
    return sorted({one.d_model for one in vectors})


def _stacked(vectors: VectorSet, width: int) -> Tensor:
    return torch.stack([plain(one.direction) for one in vectors if one.d_model == width])


def _held_out_header(position: str, held: HeldOut) -> HeldOutHeader:
    return HeldOutHeader(
        position=position,
        example=tuple(map(str, held.example)),
        unit=tuple(map(str, held.unit)),
        truth=tuple(int(one) for one in held.truth),
        said=tuple(held.said),
    )


def _held_out(path: Path, header: HeldOutHeader, said: Tensor | None) -> HeldOut:
    shape = (len(header.said), len(header.truth))
    if said is None or said.shape != shape:
        raise SondeError(
            f"{path} is not whole: the held-out scores of {header.position} are missing.",
            fix=ALTERED,
        )
    return HeldOut(
        example=np.array(header.example, str),
        unit=np.array(header.unit, str),
        truth=np.array(header.truth, np.float64),
        said=dict(zip(header.said, said.numpy(), strict=True)),
    )
