"""What a file for another tool holds, read back from the file itself."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sonde.core.errors import SondeError
from sonde.vectors.exports.control_vector import REVERSED, read_control_vector, read_gguf
from sonde.vectors.exports.easysteer import EASYSTEER
from sonde.vectors.exports.formats import FORMATS, Format
from sonde.vectors.exports.steering_vectors import read_steering_vectors
from sonde.vectors.vector import Vector

GGUF = ".gguf"


@dataclass(frozen=True, slots=True)
class ExportedDirection:
    """What a file adds at a block: how long it is in the activations' own unit, and what it is.

    ``typical_norm`` is that of the block, None where the file does not say. ``reversed`` says that
    it points against the vector.
    """

    layer: int
    vector: str
    length: float
    typical_norm: float | None
    reversed: bool = False

    @property
    def coefficient(self) -> float | None:
        """How many typical norms along the vector a tool's scale of 1 adds."""
        if self.typical_norm is None:
            return None
        return (-1 if self.reversed else 1) * self.length / self.typical_norm


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file for another tool: its format, its unit in words, and what it adds at which blocks.

    ``sonde_version`` is empty where another tool wrote it; such a file says little of itself.
    ``trait`` is empty where it is not known.
    """

    path: Path
    format: str
    unit: str
    model: str
    trait: str
    directions: tuple[ExportedDirection, ...]
    sonde_version: str

    @property
    def about(self) -> Format:
        """Who reads the format, and how it counts layers."""
        return FORMATS[self.format]

    @property
    def layers(self) -> str:
        """How the format counts layers, with the file's first as the example."""
        return self.about.layers.format(self.directions[0].layer)

    @property
    def use(self) -> tuple[str, ...]:
        """How the tools are given this file."""
        return tuple(line.replace("FILE", str(self.path)) for line in self.about.use)


def read_export(path: str | Path) -> ExportedFile:
    """Read what a control vector's GGUF, or a file for steering-vectors, holds.

    Raises:
        SondeError: the file is missing, damaged, altered, or neither.
    """
    file = Path(path)
    if not file.is_file():
        raise SondeError(f"{file} does not exist.", fix="Give an exported file.")
    return _of_gguf(file) if file.suffix == GGUF else _of_steering_vectors(file)


def _of_gguf(file: Path) -> ExportedFile:
    metadata, directions = read_gguf(file)
    vectors = {one.layer: one for one in read_control_vector(file)}
    unit = metadata.get("sonde.unit", "not known: the file does not say what its scale means")
    return ExportedFile(
        path=file,
        format="easysteer" if EASYSTEER in metadata else "gguf",
        unit=str(unit),
        model=str(metadata.get("controlvector.model_hint", "")),
        trait=", ".join(dict.fromkeys(one.trait for one in vectors.values() if one.trait)),
        directions=tuple(
            _direction(vectors[at], one, REVERSED in metadata) for at, one in directions.items()
        ),
        sonde_version=str(metadata.get("sonde.version", "")),
    )


def _direction(vector: Vector, values: np.ndarray, reversed_: bool) -> ExportedDirection:
    length = float(np.linalg.norm(values))
    return ExportedDirection(vector.layer, vector.name, length, vector.typical_norm, reversed_)


def _of_steering_vectors(file: Path) -> ExportedFile:
    header, directions = read_steering_vectors(file)
    known = zip(directions.items(), header.vectors, header.typical_norms, strict=True)
    return ExportedFile(
        path=file,
        format="steering-vectors",
        unit=header.unit,
        model=header.model,
        trait="",
        directions=tuple(
            ExportedDirection(layer, name, float(one.double().norm()), norm, header.reversed)
            for (layer, one), name, norm in known
        ),
        sonde_version=header.sonde_version,
    )
