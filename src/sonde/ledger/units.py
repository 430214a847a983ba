"""Files of units: the rows from which a result is computed again.

A file is a Parquet table with a row for each prediction. Columns: ``series`` (which of the file's
scores the row belongs to), ``unit`` (the independent unit: a group, or an example), ``predicted``,
``truth`` (null for a mean), perhaps ``other`` (in pairwise data the second item) and ``fold`` (the
one that the fit had not seen; negative where nothing was fitted on these units). More are allowed.
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.core.errors import SondeError, nearest
from sonde.core.files import write_atomic

if TYPE_CHECKING:
    from sonde.stats.scores import Scores

COLUMNS = ("series", "unit", "predicted", "truth")


def read_scores(source: Path | bytes, series: str, metric: str) -> "Scores":
    """Return one series of a file, or of its content, as scores of a metric.

    Raises:
        SondeError: it is no file of units, has no such series, or lacks a truth that the metric
            needs.
    """
    import numpy as np

    from sonde.stats.metrics import METRICS
    from sonde.stats.scores import Scores

    table = _table(source, (*COLUMNS, "other", "fold"))
    here = np.array(table["series"].to_pylist(), dtype=object) == series
    rows = table.filter(here)
    if not len(rows):
        known = list(dict.fromkeys(table["series"].to_pylist()))
        raise SondeError(
            f"{_name(source)} has no series {series!r}.{nearest(series, known)}",
            fix=f"Its series are {', '.join(map(str, known)) or 'none'}.",
        )

    def texts(name: str) -> np.ndarray:
        return np.array(rows[name].cast("string").to_pylist(), dtype=str)

    def numbers(name: str) -> np.ndarray:
        return np.asarray(rows[name].cast("double").to_numpy(), dtype=np.float64)

    paired = "other" in rows.column_names and rows["other"].null_count < len(rows)
    return Scores(
        metric=metric,
        unit=texts("unit"),
        predicted=numbers("predicted"),
        truth=numbers("truth") if METRICS[metric].has_truth else None,
        other=texts("other") if paired else None,
        cross_validated="fold" in rows.column_names and bool((numbers("fold") >= 0).any()),
    )


def write_scores(series: "Mapping[str, Scores]", path: Path) -> None:
    """Write scores by the name of their series as a file of units, atomically.

    Cross-validated scores get the fold 0, others -1: the file says whether anything was fitted or
    chosen, not by which fold.
    """
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    columns: dict[str, list[Any]] = {name: [] for name in (*COLUMNS, "other", "fold")}
    for name, one in series.items():
        n = len(one.predicted)
        columns["series"] += [name] * n
        columns["unit"] += one.unit.tolist()
        columns["predicted"] += one.predicted.tolist()
        columns["truth"] += [None] * n if one.truth is None else one.truth.tolist()
        columns["other"] += [None] * n if one.other is None else one.other.tolist()
        columns["fold"] += [0 if one.cross_validated else -1] * n
    types = {"truth": arrow.float64(), "other": arrow.string()}
    table = arrow.table(
        {name: arrow.array(values, types.get(name)) for name, values in columns.items()}
    )
    write_atomic(path, lambda aside: parquet.write_table(table, aside, compression="zstd"))


def told_apart(scores: "Scores", numbering: str) -> "Scores":
    """Return scores whose units, where they are row numbers, are named after their data too.

    Row 5 of one file is no unit of another file. ``numbering`` is the hash of the data (see
    ``lineage.numbering_of``); empty: names are names.
    """
    import numpy as np

    def named(units: np.ndarray) -> np.ndarray:
        return np.where(np.char.isdecimal(units), np.char.add(f"{numbering} row ", units), units)

    if not numbering:
        return scores
    other = None if scores.other is None else named(scores.other)
    return replace(scores, unit=named(scores.unit), other=other)


def series_in(source: Path | bytes) -> tuple[str, ...]:
    """Return the names of a file's series, in the order of the file.

    Raises:
        SondeError: it is no file of units.
    """
    return tuple(dict.fromkeys(_table(source, ("series",))["series"].to_pylist()))


def _table(source: Path | bytes, columns: tuple[str, ...]) -> Any:
    # Arrow has no types, so its modules are taken as such.
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    try:
        opened = arrow.BufferReader(source) if isinstance(source, bytes) else source
        with parquet.ParquetFile(opened) as file:
            there: list[str] = file.schema_arrow.names
            missing = [name for name in COLUMNS if name not in there]
            if missing:
                raise SondeError(
                    f"{_name(source)} has no column {missing[0]!r}, so it is no file of units.",
                    fix=f"Such a file has the columns {', '.join(COLUMNS)}.",
                )
            return file.read(columns=[name for name in columns if name in there])
    except (ValueError, OSError) as error:  # Arrow's own errors are among them
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise SondeError(f"{_name(source)} cannot be read as Parquet: {reason}") from error


def _name(source: Path | bytes) -> str:
    return "The file of units" if isinstance(source, bytes) else str(source)
