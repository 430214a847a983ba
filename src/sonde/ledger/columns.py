"""What the ledger's columns hold, alike in SQLite and PostgreSQL."""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from sqlalchemy import JSON, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from sonde.core.files import jsonable

Row: TypeAlias = Mapping[Any, Any]  # of a table, by the names of its columns

_NEVER_STORED = re.compile("[\x00\ud800-\udfff]")


class Words(TypeDecorator[str]):
    """Text. What PostgreSQL or UTF-8 cannot hold is written as its printable symbol.

    NUL becomes ␀ (U+2400) and half of a surrogate pair becomes � (U+FFFD), for good.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what cannot be stored."""
        return None if value is None else storable(value)


class Values(TypeDecorator[Any]):
    """JSON. NaN and infinities become null, any mapping an object, any sequence an array.

    Characters beyond ASCII are written as escapes, so NUL is no difficulty here.
    """

    impl = JSON
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(none_as_null=True)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Make it JSON."""
        return jsonable(_plain(value))


def storable(text: str) -> str:
    """Return a text without NUL and lone surrogates; most have none and come back as they are."""
    return _NEVER_STORED.sub(lambda found: "␀" if found[0] == "\x00" else "�", text)


def dumped(value: Any) -> str:
    """Return what a JSON column holds, for statements that are written out by hand."""
    return json.dumps(jsonable(_plain(value)))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in cast("list[Any]", value)]
    return value
