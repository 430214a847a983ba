"""Which format a path holds, and where in a folder of many the dictionaries are."""

from pathlib import Path

from sonde.core.errors import SondeError
from sonde.dictionaries.formats.content import Format
from sonde.dictionaries.formats.table import FORMATS

DEPTH, SHOWN = 4, 5


def recognised(path: Path) -> Format:
    """Return the format of the dictionary at a path, by the files that are there.

    Raises:
        SondeError: there is nothing, none is recognised, several formats fit, or the folder holds
            several dictionaries; then it names some.
    """
    if not path.exists():
        raise SondeError(
            f"{path} does not exist.",
            fix="Give a file, a folder, or a repository of the hub: hf:owner/name/folder.",
        )
    fits = [one for one in FORMATS.values() if one.finds(path)]
    if len(fits) == 1:
        return fits[0]
    if fits:
        names = ", ".join(one.name for one in fits)
        raise SondeError(f"{path} could be of several formats: {names}.", fix="Say which: --from.")
    inside = found_inside(path)
    if inside:
        more = f" and {len(inside) - SHOWN} more" if len(inside) > SHOWN else ""
        named = ", ".join(str(one) for one in inside[:SHOWN])
        count = f"{len(inside)} dictionaries" if len(inside) > 1 else "its dictionary deeper"
        raise SondeError(
            f"{path} holds {count}: {named}{more}.",
            fix="Give the path of one of them.",
        )
    there = sorted(one.name for one in path.iterdir())[:8] if path.is_dir() else [path.name]
    raise SondeError(
        f"{path} holds no dictionary of a format that sonde knows. It holds "
        f"{', '.join(there) or 'nothing'}.",
        fix=f"Formats are {', '.join(FORMATS)}; docs/reference/dictionary-formats.md says which "
        "files each has.",
    )


def found_inside(folder: Path, depth: int = DEPTH) -> list[Path]:
    """Return the dictionaries in a folder and its folders, as far down as formats nest them."""
    if not folder.is_dir() or depth == 0:
        return []
    found: list[Path] = []
    for one in sorted(folder.iterdir()):
        if one.name.startswith("."):
            continue
        if any(format_.finds(one) for format_ in FORMATS.values()):
            found.append(one)
        else:
            found += found_inside(one, depth - 1)
    return found
