"""Control vectors for EasySteer, whose engine reads GGUF with a few keys of its own.

Layers are counted as in llama.cpp's files, and block 0 has a place. EasySteer also reads pickled
checkpoints (``.pt``); such files can run code when they are opened, and none is written here.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from sonde.vectors.exports.control_vector import ARCHITECTURE, direction_said, write_gguf
from sonde.vectors.exports.layers import by_layer, stated
from sonde.vectors.exports.settings import ExportUnit
from sonde.vectors.vector import Number, Vector

EASYSTEER = f"{ARCHITECTURE}.easysteer"


def write_easysteer(
    vectors: Iterable[Vector],
    path: str | Path,
    *,
    unit: ExportUnit = "raw",
    coefficient: Number = 1.0,
) -> Path:
    """Write a GGUF that EasySteer's ``StatisticalControlVector.import_gguf`` reads.

    Raises:
        SondeError: as ``by_layer``.
    """
    given = list(vectors)
    directions = by_layer(given, unit, coefficient)
    said = stated(unit, coefficient)
    pairs = [["unit", said], ["trait", given[0].trait]]
    native = {"version": 1, "component": "hidden_states", "metadata": {"mapping": pairs}}
    more = {
        f"{ARCHITECTURE}.method": ", ".join(dict.fromkeys(one.kind for one in given)),
        EASYSTEER: json.dumps(native),
        **direction_said(unit, coefficient),
    }
    return write_gguf(Path(path), given, directions, said, more)
