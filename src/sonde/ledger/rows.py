"""Reading the rows that belong to many numbers, a part at a time."""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select

AT_ONCE = 500  # a statement takes no more than some thousands of values


def rows_for(
    connection: Connection, query: Select[Any], column: ColumnElement[Any], values: Collection[Any]
) -> Iterator[RowMapping]:
    """Yield the rows of a query whose column has one of the values.

    The order of the query holds among the rows of one value.
    """
    left = iter(dict.fromkeys(values))
    while some := list(islice(left, AT_ONCE)):
        yield from connection.execute(query.where(column.in_(some))).mappings()
