"""Which column of a table holds which part of an example."""

from collections.abc import Iterator, Mapping
from itertools import chain

from sonde.core.errors import SondeError, nearest
from sonde.data.settings import DataSpec
from sonde.data.tables import Row

# Names tried, in order, for a column that the settings do not name.
_USUAL: Mapping[str, tuple[str, ...]] = {
    "id": ("id",),
    "prompt": ("prompt", "messages", "text"),
    "response": ("response", "completion"),
    "label": ("label",),
    "group": ("group", "pair"),
}


def resolve_columns(
    rows: Iterator[Row], spec: DataSpec, name: str
) -> tuple[Mapping[str, tuple[str, ...]], Iterator[Row]]:
    """Find the columns of each part of an example, from the settings and the first row.

    Returns the columns by part (one, but for labels of several numbers), and all rows, the first
    one included.

    Raises:
        SondeError: there is no row, a named column is missing, or no column holds the texts.
    """
    first = next(rows, None)
    if first is None:
        raise SondeError(f"{name} has no rows.", fix="Give a file with at least one row.")
    present = list(first[1])
    found: dict[str, tuple[str, ...]] = {}
    for part, usual in _USUAL.items():
        given = getattr(spec.columns, part)
        if given is not None:
            several = (given,) if isinstance(given, str) else given
            found[part] = tuple(_known(column, present, name) for column in several)
        else:
            column = next((column for column in usual if column in present), None)
            if column is not None:
                found[part] = (column,)
    for column in spec.where:
        _known(column, present, name)
    if "prompt" not in found:
        raise SondeError(
            f"{name} has no column named prompt, messages or text; it has {', '.join(present)}.",
            fix="Name the column with the texts: columns: {prompt: …}.",
        )
    return found, _consistent(chain([first], rows), found, first[0])


def _consistent(
    rows: Iterator[Row], found: Mapping[str, tuple[str, ...]], first: str
) -> Iterator[Row]:
    """Refuse a row that brings a column which the first row did not have: it would be lost."""
    absent = {name for part, usual in _USUAL.items() if part not in found for name in usual}
    for where, row in rows:
        late = absent.intersection(row)
        if late:
            raise SondeError(
                f"{where} has {sorted(late)[0]!r}, and {first} has not.",
                fix="Give the first row every column that is to be read.",
            )
        yield where, row


def _known(column: str, present: list[str], name: str) -> str:
    if column not in present:
        raise SondeError(
            f"{name} has no column {column!r}.{nearest(column, present)}",
            fix=f"Its columns are {', '.join(present)}.",
        )
    return column
