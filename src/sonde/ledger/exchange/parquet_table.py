"""Parquet: the flat rows with typed columns; what CSV leaves empty is null."""

# pyright: basic
# pyarrow has no types.

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO

from sonde.core.errors import SondeError
from sonde.ledger.exchange.flat import COLUMNS, NAMES, Row, check_names, flat_rows, records_from
from sonde.ledger.exchange.record import RunRecord

ROWS = 4096  # of a row group, so that memory does not grow with the ledger


def write_parquet(records: Iterable[RunRecord], file: IO[bytes]) -> None:
    """Write a row for each result."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "text": pa.string(),
        "json": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
    }
    schema = pa.schema([pa.field(column.name, types[column.kind]) for column in COLUMNS])
    rows = flat_rows(records)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while some := list(islice(rows, ROWS)):
            columns = [
                pa.array(values, type=field.type)
                for values, field in zip(zip(*some, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def read_parquet(file: IO[bytes], where: str) -> Iterator[RunRecord]:
    """Read runs.

    Raises:
        SondeError: it is no such table, or a value is not what its column holds.
    """
    return records_from(_rows(file, where))


def _rows(file: IO[bytes], where: str) -> Iterator[tuple[str, Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file)
        check_names(table.schema_arrow.names, where)
        number = 0
        for batch in table.iter_batches(batch_size=ROWS):
            for row in batch.to_pylist():
                number += 1
                yield f"{where}, row {number}", {name: row.get(name) for name in NAMES}
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SondeError(
            f"{where} cannot be read as Parquet: {reason}",
            fix="The file was changed or cut short; export it again.",
        ) from None
