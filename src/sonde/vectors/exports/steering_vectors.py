"""Vectors for the package steering-vectors, which has no file format of its own.

Its vectors are pickled as a rule; a pickle can run code when it is opened, so none is written or
read here. The file is safetensors, one tensor a layer under the layer's number, from which the
package's vector is one line:

    SteeringVector({int(layer): one for layer, one in safetensors.torch.load_file(path).items()})
"""

import json
from collections.abc import Iterable
from pathlib import Path

import torch

from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_atomic
from sonde.vectors.artifact import KEY
from sonde.vectors.exports.layers import ExportUnit, by_layer, stated
from sonde.vectors.vector import Number, Vector

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin")


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
    given = list(vectors)
    directions = by_layer(given, unit, coefficient)
    said = {
        "artifact": "steering-vectors",
        "unit": stated(unit, coefficient),
        "layer_type": "decoder_block",
        "vectors": [one.name for one in given],
        "model": given[0].origin.model,
    }
    tensors = {str(layer): torch.from_numpy(value) for layer, value in directions.items()}
    text = canonical_json(json.loads(json.dumps(said)))
    write_atomic(file, lambda aside: save_file(tensors, aside, metadata={KEY: text}))
    return file
