"""Data sets that come with sonde. Each has a card in ``docs/data/``."""

from pathlib import Path

from sonde.core.errors import SondeError, nearest

_FOLDER = Path(__file__).parent


def shipped_sets() -> tuple[str, ...]:
    """Return the names of the data sets that come with sonde."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.csv")))


def shipped(name: str) -> Path:
    """Return the file of a data set that comes with sonde; ``_`` and ``-`` are one.

    Raises:
        SondeError: there is none of that name.
    """
    wanted = name.replace("-", "_")
    if wanted not in shipped_sets():
        raise SondeError(
            f"{name!r} is not a data set that comes with sonde.{nearest(wanted, shipped_sets())}",
            fix=f"They are {', '.join(shipped_sets())}; or give the path of a file.",
        )
    return _FOLDER / f"{wanted}.csv"
