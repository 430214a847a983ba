"""sonde: read, test and steer what a language model represents."""

from typing import TYPE_CHECKING

from sonde.core.errors import SondeError
from sonde.core.lazy import lazily

if TYPE_CHECKING:
    from sonde import judges, probes, steering, vectors
    from sonde.activations import extract
    from sonde.models import load
    from sonde.notebook import display

__all__ = [
    "SondeError",
    "__version__",
    "display",
    "extract",
    "judges",
    "load",
    "probes",
    "steering",
    "vectors",
]

__version__ = "0.1.0"

# torch and transformers take seconds to import, so a name is imported when it is first used.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "display": "notebook",
        "extract": "activations",
        "judges": "judges",
        "load": "models",
        "probes": "probes",
        "steering": "steering",
        "vectors": "vectors",
    },
)
