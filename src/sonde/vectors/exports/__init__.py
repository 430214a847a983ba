"""Files for other tools: one file a format, and one line in the table of ``formats``."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily
from sonde.vectors.exports.settings import ExportFormat, ExportUnit, Selection

if TYPE_CHECKING:
    from sonde.vectors.exports.choosing import chosen_for_export
    from sonde.vectors.exports.contents import ExportedFile, read_export
    from sonde.vectors.exports.control_vector import read_control_vector, write_control_vector
    from sonde.vectors.exports.easysteer import write_easysteer
    from sonde.vectors.exports.formats import FORMATS, export_vectors
    from sonde.vectors.exports.steering_vectors import write_steering_vectors

__all__ = [
    "FORMATS",
    "ExportFormat",
    "ExportUnit",
    "ExportedFile",
    "Selection",
    "chosen_for_export",
    "export_vectors",
    "read_control_vector",
    "read_export",
    "write_control_vector",
    "write_easysteer",
    "write_steering_vectors",
]

# An experiment file is read with the settings alone; writing a file imports torch.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "FORMATS": "formats",
        "ExportedFile": "contents",
        "chosen_for_export": "choosing",
        "export_vectors": "formats",
        "read_control_vector": "control_vector",
        "read_export": "contents",
        "write_control_vector": "control_vector",
        "write_easysteer": "easysteer",
        "write_steering_vectors": "steering_vectors",
    },
)
