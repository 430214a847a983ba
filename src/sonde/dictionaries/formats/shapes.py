"""The tensors that a format's files must hold, and what is said of files that do not."""

from collections.abc import Mapping

from torch import Tensor

from sonde.core.errors import SondeError
from sonde.dictionaries.formats.content import Content

Shapes = Mapping[str, tuple[int, ...]]
SHOWN = 6


def checked(content: Content, needed: Shapes, optional: Shapes | None = None) -> None:
    """See that the tensors are those of a format, in name and shape.

    Raises:
        SondeError: one is missing, unknown, or of another shape; the message names each.
    """
    there = content.tensors
    known = {**(optional or {}), **needed}
    missing = sorted(needed.keys() - there.keys())
    unknown = sorted(there.keys() - known.keys())
    wrong = [
        f"{name} is {_said(there[name].shape)} and should be {_said(known[name])}"
        for name in sorted(there.keys() & known.keys())
        if tuple(there[name].shape) != known[name]
    ]
    said = [
        *([f"missing are {_listed(missing)}"] if missing else []),
        *([f"unknown are {_listed(unknown)}"] if unknown else []),
        *wrong[:SHOWN],
    ]
    if said:
        raise SondeError(
            f"{content.where} does not hold the tensors of its format: {'; '.join(said)}.",
            fix="Check that the files belong together, or name another format with --from.",
        )


def matrix(content: Content, name: str) -> tuple[int, int]:
    """Return the two sizes of a matrix that all else is measured by.

    Raises:
        SondeError: there is none, or it has another number of axes.
    """
    found = content.tensors.get(name)
    if found is None or found.ndim != 2:
        has = "is not there" if found is None else f"is {_said(found.shape)}, not a matrix"
        raise SondeError(
            f"{content.where}: {name} {has}. It holds {_listed(sorted(content.tensors))}.",
            fix="Check the file, or name another format with --from.",
        )
    rows, columns = found.shape
    return int(rows), int(columns)


def setting(content: Content, name: str) -> object:
    """Return a setting that must be there.

    Raises:
        SondeError: it is not.
    """
    if name not in content.settings:
        raise SondeError(
            f"The settings of {content.where} have no {name!r}; they have "
            f"{_listed(sorted(content.settings))}."
        )
    return content.settings[name]


def as_number(content: Content, name: str) -> int:
    """Return a count: a tensor of one number, or a setting.

    Raises:
        SondeError: there is neither, or it is not a whole number of at least 1.
    """
    given = content.tensors.get(name, content.settings.get(name))
    value = given.item() if isinstance(given, Tensor) and given.numel() == 1 else given
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SondeError(
            f"{content.where}: {name} is {value!r}, not a whole number of at least 1.",
            fix="Check that settings and weights belong together, or copy them again.",
        )
    return value


def _said(shape: tuple[int, ...]) -> str:
    return str(list(shape))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else "nothing"
