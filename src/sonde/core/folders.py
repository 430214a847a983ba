"""Where sonde keeps what it can make again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the cache folder: ``$SONDE_CACHE``, or ``sonde`` in the user's cache folder."""
    given = os.environ.get("SONDE_CACHE")
    if given:
        return Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "sonde"
