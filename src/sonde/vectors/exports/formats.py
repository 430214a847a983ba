"""The formats of other tools: one file each, and one line in this table."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sonde.core.errors import SondeError, nearest
from sonde.vectors.exports.control_vector import write_control_vector
from sonde.vectors.exports.easysteer import write_easysteer
from sonde.vectors.exports.settings import ENDINGS, ExportUnit
from sonde.vectors.exports.steering_vectors import write_steering_vectors
from sonde.vectors.vector import Number, Vector

GGUF_LAYERS = (
    "blocks are counted from 0: direction.{0} is added to what block {0} returns "
    "(blocks.{0}.resid_post)"
)


@dataclass(frozen=True, slots=True)
class Format:
    """A format: how it is written, its file's ending, and words on who reads it and how."""

    write: Callable[..., Path]
    ending: str
    tools: str
    layers: str  # with {0} in a block's place
    use: tuple[str, ...]  # lines with FILE in the file's place


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "gguf": Format(
            write_control_vector,
            ENDINGS["gguf"],
            "a control vector of llama.cpp and repeng",
            f"{GGUF_LAYERS}; block 0 has no place",
            (
                "llama-server -m MODEL.gguf --control-vector FILE",
                'repeng.ControlVector.import_gguf("FILE")',
            ),
        ),
        "easysteer": Format(
            write_easysteer,
            ENDINGS["easysteer"],
            "a control vector of EasySteer",
            GGUF_LAYERS,
            ('StatisticalControlVector.import_gguf("FILE")',),
        ),
        "steering-vectors": Format(
            write_steering_vectors,
            ENDINGS["steering-vectors"],
            "layer activations of the package steering-vectors",
            "blocks are counted from 0: tensor {0} is added to what block {0} returns "
            '(layer_type="decoder_block")',
            (
                "SteeringVector({int(layer): one for layer, one in "
                'safetensors.torch.load_file("FILE").items()})',
            ),
        ),
    }
)


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
    return format_named(to).write(vectors, path, unit=unit, coefficient=coefficient)


def format_named(name: str) -> Format:
    """Return a format.

    Raises:
        SondeError: there is none of that name.
    """
    if name not in FORMATS:
        raise SondeError(
            f"{name!r} is not a format for vectors.{nearest(name, FORMATS)}",
            fix=f"Formats are {', '.join(FORMATS)}.",
        )
    return FORMATS[name]
