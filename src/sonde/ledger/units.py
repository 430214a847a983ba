"""Reading files of units: the rows from which a result is computed again.

A file is a Parquet table with a row for each prediction. Columns: ``series`` (which of the file's
scores the row belongs to), ``unit`` (the independent unit: a group, or an example), ``predicted``,
``truth`` (null for a mean), perhaps ``other`` (in pairwise data the second item). More are allowed.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.core.errors import SondeError, nearest

if TYPE_CHECKING:
    from sonde.stats.scores import Scores

COLUMNS = ("series", "unit", "predicted", "truth")
MEAN = "mean"  # the metric that has no truth


def read_scores(source: Path | bytes, series: str, metric: str) -> "Scores":
    """Return one series of a file, or of its content, as scores of a metric.

    Raises:
        SondeError: it is no file of units, has no such series, or lacks a truth that the metric
            needs.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from sonde.stats.scores import Scores

    table = _table(source, (*COLUMNS, "other"))
    rows = table.filter(pc.equal(table["series"], series))
    if not len(rows):
        known = list(dict.fromkeys(table["series"].to_pylist()))
        raise SondeError(
            f"{_name(source)} has no series {series!r}.{nearest(series, known)}",
            fix=f"Its series are {', '.join(map(str, known)) or 'none'}.",
        )

    def texts(name: str) -> np.ndarray:
        return np.array(rows[name].cast(pa.string()).to_pylist(), dtype=str)

    def numbers(name: str) -> np.ndarray:
        column = rows[name].cast(pa.float64())
        return column.to_numpy(zero_copy_only=False).astype(np.float64)

    paired = "other" in rows.column_names and rows["other"].null_count < len(rows)
    return Scores(
        metric=metric,
        unit=texts("unit"),
        predicted=numbers("predicted"),
        truth=None if metric == MEAN else numbers("truth"),
        other=texts("other") if paired else None,
    )


def series_in(source: Path | bytes) -> tuple[str, ...]:
    """Return the names of a file's series, in the order of the file.

    Raises:
        SondeError: it is no file of units.
    """
    return tuple(dict.fromkeys(_table(source, ("series",))["series"].to_pylist()))


def _table(source: Path | bytes, columns: tuple[str, ...]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source)
        there = set(file.schema_arrow.names)
        missing = [name for name in COLUMNS if name not in there]
        if missing:
            raise SondeError(
                f"{_name(source)} has no column {missing[0]!r}, so it is no file of units.",
                fix=f"Such a file has the columns {', '.join(COLUMNS)}.",
            )
        return file.read(columns=[name for name in columns if name in there])
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SondeError(f"{_name(source)} cannot be read as Parquet: {reason}") from error


def _name(source: Path | bytes) -> str:
    return "The file of units" if isinstance(source, bytes) else str(source)
