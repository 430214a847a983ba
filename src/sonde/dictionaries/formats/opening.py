"""A dictionary by what a user calls it: a path, or a repository of the hub."""

from dataclasses import dataclass
from pathlib import Path

from sonde.dictionaries.artifact import FILE
from sonde.dictionaries.formats.content import HookPoints, Loaded
from sonde.dictionaries.formats.converting import Source, check_source, read_source
from sonde.dictionaries.formats.hub import WEIGHTS, fetched, named
from sonde.dictionaries.formats.recognising import recognised
from sonde.dictionaries.formats.table import FORMATS, format_called


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dictionary's files are here, and what they are called in messages."""

    path: Path
    where: str


def placed(text: str) -> Place:
    """Return where files are: a local path, else those of a hub repository, fetched.

    Raises:
        SondeError: there is neither, or the hub cannot be reached.
    """
    path = Path(text).expanduser()
    repository = None if path.exists() else named(text)
    if repository is None:
        return Place(path, str(path.absolute()))
    return Place(fetched(repository), str(repository))


def _whole(place: Place) -> Place:
    """Return where the dictionary itself is: no more than its files, and all of them.

    That is the folder of a weights file which is one only with the settings beside it, and sonde's
    own file in a folder with its samples.
    """
    path, folder = place.path, place.path.parent
    if (path / FILE).is_file():
        return Place(path / FILE, place.where)
    if path.suffix not in WEIGHTS or not path.is_file():
        return place
    needed = any(one.finds(folder) and not one.finds(path) for one in FORMATS.values())
    if not needed or [one for one in folder.iterdir() if one.suffix in WEIGHTS] != [path]:
        return place
    before, _, revision = place.where.rpartition(f"/{path.name}")
    return Place(folder, before + revision)


def opened(text: str, format_name: str = "", hooks: HookPoints | None = None) -> Source:
    """Read a dictionary in its own format; which one is recognised where it is not said.

    Raises:
        SondeError: there is no dictionary, or it cannot be read; the message says what was found.
    """
    place = _whole(placed(text))
    found = format_called(format_name) if format_name else recognised(place.path)
    return read_source(place.path, place.where, found, hooks or HookPoints())


def read_dictionary(
    text: str, *, format_name: str = "", hooks: HookPoints | None = None, check: bool = True
) -> Loaded:
    """Read a dictionary of any format as one of sonde's, held against the format's formula.

    What needs a look of its weights is in ``faults``.

    Args:
        text: a file, a folder, or ``hf:owner/name/folder``.
        format_name: one of ``FORMATS``; recognised where it is empty.
        hooks: its hook points, where the files do not name them.
        check: compare with the format's own formula on random rows.

    Raises:
        SondeError: there is no dictionary, it cannot be read, or the check fails.
    """
    source = opened(text, format_name, hooks)
    if check:
        check_source(source)
    return source.loaded
