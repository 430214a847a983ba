"""Data sets and traits that come with sonde. Each has a card in ``docs/data/``."""

from pathlib import Path

from sonde.core.errors import SondeError, nearest

_FOLDER = Path(__file__).parent
_TRAITS = _FOLDER / "traits"
_ENDINGS = (".csv", ".txt")


def shipped_sets() -> tuple[str, ...]:
    """Return the names of the data sets that come with sonde."""
    return tuple(sorted(path.stem for path in _FOLDER.iterdir() if path.suffix in _ENDINGS))


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
    files = (_FOLDER / f"{wanted}{ending}" for ending in _ENDINGS)
    return next(path for path in files if path.is_file())


def shipped_data(name: str) -> Path | None:
    """Return where data that come with sonde lie: a set's file, a trait's folder; None if none."""
    if name in shipped_traits():
        return shipped_trait(name)
    return shipped(name) if name.replace("-", "_") in shipped_sets() else None


def unknown_data(name: str) -> SondeError:
    """Return what is said of a name that is no file's and none of the data that come with sonde."""
    return SondeError(
        f"There is no file {name}, and no data set or trait of that name comes with sonde."
        f"{nearest(name, (*shipped_sets(), *shipped_traits()))}",
        fix=f"Give the path of a file with its ending, the folder of a trait, hf:<id> for a data "
        f"set of the hub, or one that comes with sonde: the sets {', '.join(shipped_sets())}; the "
        f"traits {', '.join(shipped_traits())}.",
    )


def shipped_traits() -> tuple[str, ...]:
    """Return the names of the traits that come with sonde."""
    return tuple(sorted(path.name for path in _TRAITS.iterdir() if (path / "rule.json").is_file()))


def shipped_trait(name: str) -> Path:
    """Return the folder of a trait that comes with sonde.

    Raises:
        SondeError: there is none of that name.
    """
    if name not in shipped_traits():
        raise SondeError(
            f"{name!r} is not a trait that comes with sonde.{nearest(name, shipped_traits())}",
            fix=f"They are {', '.join(shipped_traits())}; or give the folder of a trait.",
        )
    return _TRAITS / name
