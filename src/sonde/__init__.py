"""sonde: read, test and steer what a language model represents."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sonde.core.errors import SondeError

if TYPE_CHECKING:
    from sonde import probes
    from sonde.activations import extract
    from sonde.models import load

__all__ = ["SondeError", "__version__", "extract", "load", "probes"]

__version__ = "0.1.0"

# torch and transformers take seconds to import, so a name is imported when it is first used.
_LAZY = {
    "extract": ("sonde.activations", "extract"),
    "load": ("sonde.models", "load"),
    "probes": ("sonde.probes", None),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sonde' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    loaded = import_module(module)
    return getattr(loaded, attribute) if attribute else loaded


def __dir__() -> list[str]:
    return sorted(__all__)
