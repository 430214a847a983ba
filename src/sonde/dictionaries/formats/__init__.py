"""Dictionaries of other libraries: read, written, and checked against the libraries' formulas."""

from typing import TYPE_CHECKING

from sonde.core.lazy import lazily

if TYPE_CHECKING:
    from sonde.dictionaries.formats.content import Content, Format, HookPoints, Loaded
    from sonde.dictionaries.formats.opening import read_dictionary
    from sonde.dictionaries.formats.table import FORMATS, format_called

__all__ = [
    "FORMATS",
    "Content",
    "Format",
    "HookPoints",
    "Loaded",
    "format_called",
    "read_dictionary",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "Content": "content",
        "Format": "content",
        "HookPoints": "content",
        "Loaded": "content",
        "FORMATS": "table",
        "format_called": "table",
        "read_dictionary": "opening",
    },
)
