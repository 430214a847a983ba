"""What stages were made of, back to the data that they began with.

A stage is known by what its key was made of: ``made_of``, with the keys of its inputs.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from sonde.core.files import fingerprint

Content: TypeAlias = Mapping[str, Any]  # what a key was made of
DATA = "data"  # the kind of a stage that reads examples


def with_inputs(key: str, contents: Mapping[str, Content]) -> Iterator[Content]:
    """Yield what a stage and everything before it was made of, each once.

    Raises:
        KeyError: of one that is not known.
    """
    seen: set[str] = set()
    left = [key]
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            yield contents[one]
            left += contents[one]["inputs"].values()


def source_of(content: Content) -> Any:
    """Return what examples were read from: the hashes of files, or the name and split of a hub."""
    settings: Mapping[str, Any] = content["settings"]
    return content["files"] or [settings.get("path"), settings.get("split")]


def numbering_of(key: str, contents: Mapping[str, Content]) -> str:
    """Return the hash of the data in which the stage with a key may have counted rows.

    Examples without ids have the numbers of their rows, which name other examples in other data. It
    is empty where nothing was counted, because the settings name the column of ids or of groups,
    and where it is not known what the stage was made of.
    """
    try:
        data = [one for one in with_inputs(key, contents) if one["kind"] == DATA]
        if not data or any(map(_names_units, data)):
            return ""
        return fingerprint(sorted({fingerprint(source_of(one)) for one in data}))
    except (KeyError, TypeError, AttributeError):  # of a table, or of another version
        return ""


def _names_units(content: Content) -> bool:
    columns: Mapping[str, str | None] = content["settings"].get("columns") or {}
    return bool(columns.get("id") or columns.get("group"))
