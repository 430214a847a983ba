"""A vector as one safetensors file whose header holds everything needed to use it.

The header has a single metadata key, because safetensors writes several in no fixed order: equal
vectors are equal files.
"""

from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from sonde import __version__
from sonde.activations.origin import Origin
from sonde.core.artifact_file import ALTERED, KEY, plain, read_file
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_atomic
from sonde.core.hooks import parse_hook_point
from sonde.probes.artifact import IntervalHeader
from sonde.vectors.vector import Vector

FORMAT = 1


class VectorEntry(Config):
    """What a file says of one vector beside its numbers and where it comes from."""

    method: str
    cleaning: str
    hook: str
    position: str
    length: float
    trait: str
    labels: tuple[str, str]
    typical_norm: float | None
    massive: tuple[int, ...]
    metrics: dict[str, IntervalHeader]
    training_data: str
    n_rows: int
    note: str

    @classmethod
    def of(cls, vector: Vector) -> "VectorEntry":
        """Take a vector's fields."""
        same = set(cls.model_fields) - {"hook", "metrics"}
        return cls(
            hook=str(vector.hook),
            metrics={name: IntervalHeader.of(value) for name, value in vector.metrics.items()},
            **{name: getattr(vector, name) for name in same},
        )

    def vector(self, direction: Tensor, origin: Origin) -> Vector:
        """Make the vector again."""
        same = {name: getattr(self, name) for name in VectorEntry.model_fields}
        same["hook"] = parse_hook_point(self.hook)
        same["metrics"] = {name: value.interval() for name, value in self.metrics.items()}
        return Vector(direction=direction, origin=origin, **same)


class VectorHeader(Config):
    """The header of a vector's file."""

    artifact: str
    format: int
    sonde_version: str
    model: str
    revision: str
    model_fingerprint: str
    template: str
    dtype: str
    d_model: int
    unit: str
    vector: VectorEntry
    origin: Origin


def header_of_vector(vector: Vector) -> VectorHeader:
    """Say everything about a vector but its numbers."""
    origin = vector.origin
    return VectorHeader(
        artifact="vector",
        format=FORMAT,
        sonde_version=__version__,
        model=origin.model,
        revision=origin.revision,
        model_fingerprint=origin.model_fingerprint,
        template=origin.template,
        dtype=origin.dtype,
        d_model=vector.d_model,
        unit="the direction has length 1; a coefficient counts typical norms (typical_norm is in "
        "the activations' unit)",
        vector=VectorEntry.of(vector),
        origin=origin,
    )


def save_vector(vector: Vector, path: Path) -> Path:
    """Write a vector atomically; return the path."""
    text = canonical_json(header_of_vector(vector).model_dump(mode="json"))
    tensors = {"direction": plain(vector.direction)}
    write_atomic(path, lambda aside: save_file(tensors, aside, metadata={KEY: text}))
    return path


def load_vector(path: Path) -> Vector:
    """Read a vector.

    Raises:
        SondeError: the file is missing, damaged, not a vector, or of a later format.
    """
    given, tensors = read_file(path, "vector", "a vector", FORMAT)
    header = validated(VectorHeader, given, where=f"The header of {path}")
    direction = tensors.get("direction")
    if direction is None or direction.shape != (header.d_model,):
        raise SondeError(f"{path} has no direction of width {header.d_model}.", fix=ALTERED)
    return header.vector.vector(direction, header.origin)


def vector_header_in(path: Path) -> VectorHeader:
    """Return the header as the file has it.

    Raises:
        SondeError: the file is missing, damaged, not a vector, or of a later format.
    """
    given, _ = read_file(path, "vector", "a vector", FORMAT)
    return validated(VectorHeader, given, where=f"The header of {path}")
