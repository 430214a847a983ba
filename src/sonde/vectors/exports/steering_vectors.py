"""Vectors for the package steering-vectors, which has no file format of its own.

Its vectors are pickled as a rule; a pickle can run code when it is opened, so none is written or
read here. The file is safetensors, one tensor a layer under the layer's number, from which the
package's vector is one line:

    SteeringVector({int(layer): one for layer, one in safetensors.torch.load_file(path).items()})
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from sonde import __version__
from sonde.core.artifact_file import ALTERED, KEY, read_file
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_atomic
from sonde.vectors.exports.layers import by_layer, checksum, is_reversed, stated
from sonde.vectors.exports.settings import ExportUnit
from sonde.vectors.vector import Number, Vector

ARTIFACT, FORMAT = "steering-vectors", 1
PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin")


class SteeringVectorsHeader(Config):
    """What the file says beside its numbers; ``vectors`` and ``typical_norms`` go by layer."""

    artifact: str
    format: int
    sonde_version: str
    unit: str
    layer_type: str
    vectors: tuple[str, ...]
    typical_norms: tuple[float | None, ...]
    model: str
    reversed: bool
    checksum: str


def write_steering_vectors(
    vectors: Iterable[Vector],
    path: str | Path,
    *,
    unit: ExportUnit = "raw",
    coefficient: Number = 1.0,
) -> Path:
    """Write ``layer_activations`` of a ``SteeringVector`` with ``layer_type="decoder_block"``.

    Raises:
        SondeError: the path is a pickle's, or as ``by_layer``.
    """
    from safetensors.torch import save_file

    file = Path(path)
    if file.suffix in PICKLES:
        raise SondeError(
            f"{file} would be a pickle, which can run code when it is opened; none is written.",
            fix="Give a path that ends in .safetensors.",
        )
    given = sorted(vectors, key=lambda one: one.layer)
    directions = by_layer(given, unit, coefficient)
    said = stated(unit, coefficient)
    header = SteeringVectorsHeader(
        artifact=ARTIFACT,
        format=FORMAT,
        sonde_version=__version__,
        unit=said,
        layer_type="decoder_block",
        vectors=tuple(one.name for one in given),
        typical_norms=tuple(one.typical_norm for one in given),
        model=given[0].origin.model,
        reversed=is_reversed(unit, coefficient),
        checksum=checksum(directions, said),
    )
    tensors = {str(layer): torch.from_numpy(value) for layer, value in directions.items()}
    text = canonical_json(header.model_dump(mode="json"))
    write_atomic(file, lambda aside: save_file(tensors, aside, metadata={KEY: text}))
    return file


def read_steering_vectors(path: Path) -> tuple[SteeringVectorsHeader, dict[int, Tensor]]:
    """Return the header of a file that ``write_steering_vectors`` wrote, and what it adds by block.

    Raises:
        SondeError: the file is missing, damaged, altered, or none of these.
    """
    given, tensors = read_file(path, ARTIFACT, "a file for steering-vectors", FORMAT)
    header = validated(SteeringVectorsHeader, given, where=f"The header of {path}")
    directions = {int(name): one for name, one in tensors.items() if name.isdecimal()}
    found = dict(sorted(directions.items()))
    whole = len(found) == len(header.vectors) == len(header.typical_norms)
    arrays = {layer: one.numpy() for layer, one in found.items()}
    if not whole or checksum(arrays, header.unit) != header.checksum:
        raise SondeError(f"{path} was altered after it was written.", fix=ALTERED)
    return header, found
