"""How activations made elsewhere are to be understood."""

from pydantic import Field

from sonde.core.base import Config


class ImportSettings(Config):
    """How a file's arrays are to be understood.

    ``hooks`` maps keys of the file to hook points; without it keys such as ``layer_11``,
    ``blocks.11.resid_post`` or ``11`` are understood, a number meaning block 11's ``site``.
    ``ids`` is the key of the row ids; without it a key such as ``task_ids`` or ``ids`` is taken.
    ``ignore`` names arrays that are neither. ``repeated`` allows several rows for one example.
    ``model``, ``revision`` and ``position`` are what is known of their origin.
    """

    hooks: dict[str, str] = Field(default_factory=dict)
    ids: str = ""
    ignore: tuple[str, ...] = ()
    site: str = "resid_post"
    position: str = ""
    model: str = ""
    revision: str = ""
    repeated: bool = False
