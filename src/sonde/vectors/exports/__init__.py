"""Files for other tools: one file a format, and one line in this table."""

from collections.abc import Callable, Iterable
from pathlib import Path

from sonde.core.errors import SondeError, nearest
from sonde.vectors.exports.control_vector import read_control_vector, write_control_vector
from sonde.vectors.exports.easysteer import write_easysteer
from sonde.vectors.exports.layers import ExportUnit
from sonde.vectors.exports.steering_vectors import write_steering_vectors
from sonde.vectors.vector import Number, Vector

__all__ = [
    "FORMATS",
    "ExportUnit",
    "export_vectors",
    "read_control_vector",
    "write_control_vector",
    "write_easysteer",
    "write_steering_vectors",
]

FORMATS: dict[str, Callable[..., Path]] = {
    "gguf": write_control_vector,  # llama.cpp and repeng
    "easysteer": write_easysteer,
    "steering-vectors": write_steering_vectors,
}


def export_vectors(
    vectors: Iterable[Vector],
    path: str | Path,
    *,
    to: str,
    unit: ExportUnit = "raw",
    coefficient: Number = 1.0,
) -> Path:
    """Write vectors, one a layer, in a format of another tool; the file says its unit.

    Raises:
        SondeError: the format is unknown, or the vectors do not fit it.
    """
    if to not in FORMATS:
        raise SondeError(
            f"{to!r} is not a format for vectors.{nearest(to, FORMATS)}",
            fix=f"Formats are {', '.join(FORMATS)}.",
        )
    return FORMATS[to](vectors, path, unit=unit, coefficient=coefficient)
