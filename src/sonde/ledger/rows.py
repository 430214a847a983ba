"""Reading the rows that belong to many numbers, a part at a time, and writing one row."""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Table, insert

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


def insert_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert a row into a table that numbers its rows; return the number.

    What the table has no column for is passed over, and so is ``id``. The values are given beside
    the statement: within it, the statement would be taken apart anew for each row.
    """
    names = (column.name for column in table.columns)
    given = {name: row[name] for name in names if name in row and name != "id"}
    return int(cast("Any", connection.execute(insert(table), given).inserted_primary_key)[0])
